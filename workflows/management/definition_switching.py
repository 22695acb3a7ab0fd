"""`definitions switch`."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from workflows.management.run_controlling import add_reason, by
from workflows.management.verbs import Verb
from workflows.models import SwitchLevel
from workflows.services.switches import switch_changes, switch_definition


class SwitchDefinition(Verb):
    """Switches a definition and tells how it was switched before."""

    name, help = "switch", "Switch a definition off or on, whatever its versions."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which definition, to what, and why."""
        parser.add_argument("key", metavar="KEY")
        parser.add_argument("level", choices=SwitchLevel.values)
        add_reason(parser)

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """Every change of its switch, newest first."""
        switch_definition(
            tenant_id=tenant_id, key=options["key"], level=options["level"], why=options["reason"], **by(options)
        )
        for one in switch_changes(tenant_id=tenant_id, key=options["key"]):
            yield f"{one.changed_at:%Y-%m-%d %H:%M:%S} UTC  {one.level}  {one.cause} {one.cause_ref}: {one.why}"
