"""manage.py segments put|list|count|delete"""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import ChimewayError
from deliveries.broadcasts.segments import count_matches, drop_segment, put_segment, segment_named
from deliveries.models import Segment
from tenants.audit.commands import add_by
from tenants.management.commands.tenant import existing_tenant
from tenants.scope import tenant_scope
from workflows.management.recording import in_the_name


class Command(BaseCommand):
    help = "Store, list, count and delete segments of recipients."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        put = verbs.add_parser("put", help="Make or change a segment.")
        put.add_argument("key", metavar="KEY")
        put.add_argument("condition", type=json.loads, metavar="JSON", help="Its paths start with recipient.")
        put.add_argument("--name", default="", help="For people.")
        verbs.add_parser("list", help="List segments by their keys.")
        verbs.add_parser("count", help="Say how many recipients it has now.").add_argument("key", metavar="KEY")
        verbs.add_parser("delete", help="Forget a segment.").add_argument("key", metavar="KEY")
        for name in ("put", "delete"):
            add_by(verbs.choices[name])
        for verb in verbs.choices.values():
            verb.add_argument("--tenant", required=True, metavar="SLUG", help="Whose segments these are.")

    def handle(self, *, verb: str, tenant: str, **options: Any) -> None:
        tenant_id = existing_tenant(tenant).pk
        try:
            with in_the_name(tenant_id, f"segments {verb}", options, lambda: _named(tenant_id, options["key"])):
                getattr(self, f"_{verb}")(tenant_id, options)
        except ChimewayError as error:
            raise CommandError(error.line) from error

    def _put(self, tenant_id: int, options: dict[str, Any]) -> None:
        said = {name: options[name] for name in ("key", "condition", "name")}
        segment, is_new = put_segment(tenant_id=tenant_id, **said)
        self.stdout.write(f"{segment.key} {'made' if is_new else 'changed'}")

    def _list(self, tenant_id: int, options: dict[str, Any]) -> None:
        with tenant_scope(tenant_id):
            for segment in Segment.objects.filter(tenant_id=tenant_id).order_by("key"):
                self.stdout.write(f"{segment.key}  {json.dumps(segment.condition)}  {segment.name}".rstrip())

    def _count(self, tenant_id: int, options: dict[str, Any]) -> None:
        with tenant_scope(tenant_id):
            condition = segment_named(tenant_id, options["key"]).condition
        count = count_matches(tenant_id=tenant_id, condition=condition)
        more = "" if count.is_whole else ", and there are more"
        self.stdout.write(f"{count.matches} of {count.looked_at} recipients{more}")

    def _delete(self, tenant_id: int, options: dict[str, Any]) -> None:
        drop_segment(tenant_id=tenant_id, key=options["key"])


def _named(tenant_id: int, key: str) -> list[Segment]:
    return list(Segment.objects.filter(tenant_id=tenant_id, key=key))
