"""`runs replay`."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from workflows.management.arguments import public_id
from workflows.management.run_controlling import add_reason, by
from workflows.management.verbs import Verb
from workflows.services.replay import replay_run


class ReplayRun(Verb):
    """Starts the journey of an ended run once more and writes the id of the new run."""

    name, help = "replay", "Start the journey of an ended run once more, as a new run."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which run, on which version, and in spite of what."""
        parser.add_argument("run", type=public_id, metavar="RUN")
        add_reason(parser)
        add_replaying(parser)
        parser.add_argument("--revision", type=int, metavar="N", help="Only if it still stands there.")
        parser.add_argument("--idempotency-key", metavar="KEY", help="The same key again names the same new run.")

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """The id of the new run."""
        started = replay_run(
            tenant_id=tenant_id,
            public_id=options["run"],
            reason=options["reason"],
            version=options["on"],
            allow_irreversible=options["allow_irreversible"],
            idempotency_key=options["idempotency_key"],
            expected_revision=options["revision"],
            **by(options),
        )
        yield str(started.public_id)


def add_replaying(parser: ArgumentParser) -> None:
    """The options of how a run is replayed."""
    parser.add_argument("--version", choices=("same", "latest"), default="same", dest="on", help="Of a replay.")
    parser.add_argument("--allow-irreversible", action="store_true", help="Replay although steps cannot be undone.")
