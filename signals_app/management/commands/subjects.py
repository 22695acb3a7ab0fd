"""manage.py subjects erase|export"""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import ChimewayError
from signals_app.subjects.erase import erase_subject
from signals_app.subjects.export import export_subject
from tenants.audit.commands import recorded
from tenants.management.commands.tenant import existing_tenant


class Command(BaseCommand):
    help = "Erase a subject, or export what is held about it as JSON lines."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        erase = verbs.add_parser("erase", help="Cancel its runs, delete its payloads, empty its inbox; for good.")
        erase.add_argument("--reason", default="", help="For the record; nothing personal.")
        erase.add_argument("--by", default="", metavar="NAME", help="Who asks for it.")
        erase.add_argument("--dry-run", action="store_true", help="Count, and change nothing.")
        export = verbs.add_parser("export", help="Print runs, signals, deliveries, the inbox and payloads.")
        for verb in (erase, export):
            verb.add_argument("subject")
            verb.add_argument("--tenant", required=True, metavar="SLUG")

    def handle(self, *, verb: str, tenant: str, subject: str, **options: Any) -> None:
        tenant_id = existing_tenant(tenant).pk
        try:
            if verb == "export":
                for line in export_subject(tenant_id=tenant_id, subject=subject):
                    self.stdout.write(line)
            else:
                self._erase(tenant_id, subject, options)
        except ChimewayError as error:
            raise CommandError(error.line) from error

    def _erase(self, tenant_id: int, subject: str, options: dict[str, Any]) -> None:
        if options["dry_run"]:
            self._told(tenant_id, subject, options)
            return
        with recorded(tenant_id, "subject erase", options, ref="(hidden)"):
            self._told(tenant_id, subject, options)

    def _told(self, tenant_id: int, subject: str, options: dict[str, Any]) -> None:
        erased = erase_subject(
            tenant_id=tenant_id,
            subject=subject,
            cause="operator",
            cause_ref=options["by"] or "command line",
            reason=options["reason"],
            dry_run=options["dry_run"],
        )
        said = {"subject": erased.pseudonym, "counts": dict(erased.counts), "in_flight": list(erased.in_flight)}
        told = {"dry_run": options["dry_run"], "repeated": erased.is_repeated}
        self.stdout.write(json.dumps({**said, "erased_at": erased.erased_at.isoformat(), **told}))
