"""manage.py suppressions list|lift"""

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

from deliveries.models import Suppression
from deliveries.suppressions.writing import lift
from tenants.audit.commands import add_by, who
from tenants.scope import tenant_scope
from workflows.management.recording import in_the_name
from workflows.management.verbs import Verb, VerbCommand


class List(Verb):
    """Those that count."""

    name, help = "list", "Print the addresses that are left alone, masked, newest first."

    def arguments(self, parser: ArgumentParser) -> None:
        """Its options."""
        parser.add_argument("--limit", type=int, default=100)

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """A line for each."""
        with tenant_scope(tenant_id):
            rows = Suppression.objects.filter(tenant_id=tenant_id, lifted_at__isnull=True).order_by("-id")
            yield from [_told(row) for row in rows[: max(options["limit"], 0)]]


class Lift(Verb):
    """One of them."""

    name, help = "lift", "Let messages go to the address of a suppression again."

    def arguments(self, parser: ArgumentParser) -> None:
        """Its options."""
        parser.add_argument("suppression", type=UUID, help="Its id, as `list` prints it.")
        parser.add_argument("--reason", required=True)
        add_by(parser)

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """Who lifted it, the first time."""
        by = f"command {who(options)}"
        row = lift(tenant_id=tenant_id, suppression=options["suppression"], reason=options["reason"], by=by)
        yield f"{row.public_id} lifted by {row.lifted_by}: {row.lifted_why}"


class Command(VerbCommand):
    help = "Show which addresses are left alone, and let messages go there again."
    about = "suppressions"
    verbs = (List(), Lift())

    def recording(self, tenant_id: int, verb: str, options: Mapping[str, Any]) -> AbstractContextManager[None]:
        """With what `lift` changes."""
        return in_the_name(tenant_id, f"suppressions {verb}", options, lambda: _named(tenant_id, options))


def _named(tenant_id: int, options: Mapping[str, Any]) -> list[Suppression]:
    return list(Suppression.objects.filter(tenant_id=tenant_id, public_id=options["suppression"]))


def _told(row: Suppression) -> str:
    since = f"{row.since:%Y-%m-%d %H:%M}" if row.since is not None else "-"
    return f"{row.public_id} {row.channel:<8} {row.recipient_masked or '-'} {row.word} {since}"
