"""`runs sticky` and `runs lift`: cancels that wait for runs still to come."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.utils import timezone

from tenants.scope import tenant_scope
from workflows.management.arguments import at_most, public_id
from workflows.management.verbs import Verb
from workflows.models import StickyCancel
from workflows.services.cancel_by_key import lift_sticky_cancel


class ListSticky(Verb):
    """Lists those whose time is not over."""

    name, help = "sticky", "List the cancels that wait for runs still to come, newest first."

    def arguments(self, parser: ArgumentParser) -> None:
        """How many."""
        parser.add_argument("--limit", type=at_most, default=50)

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """One line for each."""
        with tenant_scope(tenant_id):
            rows = StickyCancel.objects.filter(tenant_id=tenant_id, until__gt=timezone.now()).order_by("-id")
            for one in rows[: options["limit"]]:
                until = f"until {one.until:%Y-%m-%d %H:%M:%S} UTC"
                yield f"{one.public_id}  {one.mark}  {one.workflow or 'any workflow'}  {until}"


class LiftSticky(Verb):
    """Takes one back."""

    name, help = "lift", "Let runs under a sticky cancel start again; those that were cancelled stay so."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which, and who asks."""
        parser.add_argument("cancel", type=public_id, metavar="CANCEL", help="As `runs sticky` prints it.")
        parser.add_argument("--by", default="", metavar="NAME", help="Who asks for it.")

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """That it is done."""
        lift_sticky_cancel(tenant_id=tenant_id, public_id=options["cancel"])
        yield f"{options['cancel']}  lifted"


STICKY = (ListSticky(), LiftSticky())
