"""manage.py recipients put|show|prefer|history|sent_to"""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import ChimewayError
from deliveries.management.recipient_verbs import History, Prefer, PutRecipients, SentTo, ShowRecipient
from deliveries.models import Preference
from tenants.management.commands.tenant import existing_tenant
from workflows.management.recording import in_the_name

ABOUT_RULES = "prefer"
VERBS = {verb.name: verb for verb in (PutRecipients(), ShowRecipient(), Prefer(), History(), SentTo())}


class Command(BaseCommand):
    help = f"Do something with recipients: {', '.join(VERBS)}."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parsers = parser.add_subparsers(dest="verb", required=True)
        for verb in VERBS.values():
            own = parsers.add_parser(verb.name, help=verb.help)
            verb.arguments(own)
            own.add_argument("--tenant", required=True, metavar="SLUG", help="Whose recipients these are.")

    def handle(self, *, verb: str, tenant: str, **options: Any) -> None:
        try:
            tenant_id = existing_tenant(tenant).pk
            with in_the_name(tenant_id, f"recipients {verb}", options, lambda: _rules(tenant_id, verb, options)):
                for line in VERBS[verb].lines(tenant_id, options):
                    self.stdout.write(line)
        except (ChimewayError, OSError) as error:
            detail = f" {json.dumps(error.detail)}" if isinstance(error, ChimewayError) and error.detail else ""
            raise CommandError(f"{error}{detail}") from error


def _rules(tenant_id: int, verb: str, options: dict[str, Any]) -> list[Preference]:
    """What `prefer` changes. Of the recipients in a file there may be millions: that it was read is told."""
    mine = Preference.objects.filter(tenant_id=tenant_id, subject=options.get("id") or "")
    return list(mine) if verb == ABOUT_RULES else []
