"""`runs state`: where a run stood."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from workflows.history.rebuild import state_at
from workflows.management.arguments import public_id
from workflows.management.verbs import Verb


class StateAt(Verb):
    """Folds the trace of a run up to one of its lines."""

    name, help = "state", "Show where a run stood after a line of its trace."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which run, and which line."""
        parser.add_argument("run", type=public_id, metavar="RUN")
        parser.add_argument("--seq", type=int, required=True, metavar="N", help="The line of the trace, from 1.")

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """The state, and the visits of its steps."""
        then = state_at(tenant_id=tenant_id, public_id=options["run"], seq=options["seq"])
        yield f"{options['run']}  {then.state}  {then.step or '-'}  {then.status_reason}, seq {then.seq}"
        if then.pending_signals:
            yield f"Early signals kept: {then.pending_signals}."
        if then.visits:
            yield "Visits: " + ", ".join(f"{step} {count}" for step, count in then.visits.items()) + "."
