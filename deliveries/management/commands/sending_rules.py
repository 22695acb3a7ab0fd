"""manage.py sending_rules show|put"""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import ChimewayError
from deliveries.models import SendingRules
from deliveries.timing.storing import put_sending_rules, sending_rules
from tenants.audit.commands import add_by, recorded
from tenants.management.commands.tenant import existing_tenant


class Command(BaseCommand):
    help = "Show or store the quiet hours and caps of a tenant."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        show = verbs.add_parser("show", help="Print them as JSON.")
        put = verbs.add_parser("put", help="Store those of a file, and no others.")
        put.add_argument("file", type=Path, help='JSON: {"quiet_hours": […], "caps": […]}')
        for verb in (show, put):
            verb.add_argument("--tenant", required=True, metavar="SLUG")
        add_by(put)

    def handle(self, *, verb: str, tenant: str, **options: Any) -> None:
        tenant_id = existing_tenant(tenant).pk
        try:
            if verb == "put":
                said = json.loads(options["file"].read_text(encoding="utf-8"))
                rules = {"quiet_hours": said.get("quiet_hours", []), "caps": said.get("caps", [])}
                mine = SendingRules.objects.filter(tenant_id=tenant_id)
                with recorded(tenant_id, "sending_rules put", options, lambda: list(mine.all())):
                    put_sending_rules(tenant_id=tenant_id, **rules)
        except ChimewayError as error:
            raise CommandError(error.line) from error
        except (OSError, ValueError, AttributeError) as error:
            raise CommandError(f"{options['file']} is no JSON object that can be read.") from error
        now = sending_rules(tenant_id=tenant_id)
        self.stdout.write(json.dumps({"quiet_hours": now.quiet_hours, "caps": now.caps}))
