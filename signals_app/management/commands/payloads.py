"""manage.py payloads collect"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from signals_app.services.collecting import Collected, collect_payloads, find_unnamed
from tenants.audit.commands import add_by, recorded
from tenants.management.commands.tenant import existing_tenant


class Command(BaseCommand):
    help = "Collect payloads that nothing names. Beat does so by itself, each tenant once a day."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        collect = verbs.add_parser(
            "collect", help="Go through the payloads of a tenant, from where the last part ended."
        )
        collect.add_argument("--tenant", required=True, metavar="SLUG")
        collect.add_argument("--dry-run", action="store_true", help="Count them and change nothing.")
        add_by(collect)

    def handle(self, *, tenant: str, dry_run: bool, **options: Any) -> None:
        tenant_id = existing_tenant(tenant).pk
        if dry_run:
            self._collect(tenant_id, dry_run)
            return
        with recorded(tenant_id, "payloads collect", options, ref="what nothing names"):
            self._collect(tenant_id, dry_run)

    def _collect(self, tenant_id: int, dry_run: bool) -> None:
        part, looked_at, found = Collected(0, 0, 0), 0, 0
        while part.cursor is not None:
            if dry_run:
                part = find_unnamed(tenant_id=tenant_id, after=part.cursor)
            else:
                part = collect_payloads(tenant_id=tenant_id)
            looked_at, found = looked_at + part.looked_at, found + part.collected
            if part.cursor is not None:
                self.stderr.write(f"{looked_at} looked at, {found} named by nothing")
        done = "would be collected" if dry_run else "collected"
        self.stdout.write(f"{looked_at} payloads looked at, {found} {done}.")
