"""manage.py limits show|set"""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import ChimewayError
from tenants.audit.commands import recorded
from tenants.limits.kinds import LimitKind
from tenants.management.commands.tenant import existing_tenant
from tenants.models import Limit
from tenants.scope import tenant_scope
from tenants.services import budgets_of, set_limit
from tenants.services.limits import Amount


class Command(BaseCommand):
    help = "Show or set the limits of a tenant. They hold everywhere within a second."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        show = verbs.add_parser("show", help="Print each limit, what is left, and who used it, one JSON object a line.")
        show.add_argument("slug")
        change = verbs.add_parser("set", help="Set one limit.")
        change.add_argument("slug")
        change.add_argument("limit", choices=LimitKind.values)
        change.add_argument("amount", help="A whole number, `unlimited`, or `default` (what TENANT_LIMITS says).")
        change.add_argument("--by", default="command", help="Who sets it, for the record.")

    def handle(self, *, slug: str, **options: Any) -> None:
        tenant_id = existing_tenant(slug).pk
        if options["verb"] == "set":
            self._set(tenant_id, options)
        with tenant_scope(tenant_id):
            for one in budgets_of(tenant_id):
                told = {"limit": one.kind, "amount": one.amount, "left": one.left, "used_by": one.used_by}
                self.stdout.write(json.dumps(told))

    def _set(self, tenant_id: int, options: dict[str, Any]) -> None:
        try:
            amount = _amount(options["amount"])
            mine = Limit.objects.filter(tenant_id=tenant_id, kind=options["limit"])
            with recorded(tenant_id, "limit set", options, lambda: list(mine.all()), options["limit"]):
                set_limit(tenant_id=tenant_id, kind=options["limit"], amount=amount, changed_by=options["by"])
        except ChimewayError as error:
            raise CommandError(error.line) from error


def _amount(text: str) -> Amount:
    if text in ("unlimited", "default"):
        return None if text == "unlimited" else "default"
    if not (text.isascii() and text.isdigit()):
        raise CommandError("The amount is a whole number, `unlimited` or `default`.")
    return int(text)
