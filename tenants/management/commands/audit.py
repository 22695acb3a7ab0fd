"""manage.py audit export|prune"""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.csvtext import csv_lines
from tenants.audit.commands import add_by, recorded
from tenants.audit.keeping import LEAST_DAYS, forget_actions
from tenants.management.commands.tenant import existing_tenant
from tenants.models import OperatorAction
from tenants.scope import database_now, tenant_scope

COLUMNS = [
    *("acted_at", "username", "address", "via", "action", "object_kind", "object_ref"),
    *("reason", "moved", "refusal", "changes"),
]


class Command(BaseCommand):
    help = "Export the record of what operators did in a tenant, or forget what is older than you have to keep."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        export = verbs.add_parser("export", help="Print it, oldest first.")
        export.add_argument("--since", type=datetime.fromisoformat, metavar="TIME", help="ISO 8601 with an offset.")
        export.add_argument("--csv", action="store_true", help="For a spreadsheet; JSON lines otherwise.")
        prune = verbs.add_parser("prune", help="Forget what is older. Nothing younger than 90 days can go.")
        prune.add_argument("--days", type=int, required=True, help=f"At least {LEAST_DAYS}.")
        for verb in (export, prune):
            verb.add_argument("slug")
        add_by(prune)

    def handle(self, *, verb: str, slug: str, **options: Any) -> None:
        tenant_id = existing_tenant(slug).pk
        if verb == "prune":
            if options["days"] < LEAST_DAYS:
                raise CommandError(f"At least {LEAST_DAYS} days are kept.")
            before = database_now() - timedelta(days=options["days"])
            with recorded(tenant_id, "audit prune", options, ref=f"before {before:%Y-%m-%d}"):
                self.stdout.write(f"{forget_actions(tenant_id=tenant_id, before=before)} forgotten")
            return
        if options["since"] is not None and options["since"].tzinfo is None:
            raise CommandError("--since needs an offset, such as 2026-01-31T00:00:00+00:00.")
        with tenant_scope(tenant_id):
            rows = _rows(tenant_id, options["since"])
            lines = csv_lines(_table(rows)) if options["csv"] else (f"{json.dumps(row)}\n" for row in rows)
            for line in lines:
                self.stdout.write(line, ending="")


def _rows(tenant_id: int, since: datetime | None) -> Iterator[dict[str, Any]]:
    found = OperatorAction.objects.filter(tenant_id=tenant_id).order_by("id")
    if since is not None:
        found = found.filter(acted_at__gte=since)
    for row in found.values(*COLUMNS).iterator(chunk_size=1000):
        yield row | {"acted_at": row["acted_at"].isoformat()}


def _table(rows: Iterator[dict[str, Any]]) -> Iterator[list[Any]]:
    yield COLUMNS
    for row in rows:
        yield [json.dumps(row[name]) if name == "changes" else row[name] for name in COLUMNS]
