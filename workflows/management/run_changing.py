"""`runs change` and `runs note`: the times of a run, and a line for its trace."""

from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from workflows.history.append import LONGEST_NOTE, append_transition
from workflows.management.arguments import instant, public_id
from workflows.management.run_controlling import add_reason, answered, by
from workflows.management.verbs import Verb
from workflows.services.run_times import CHANGEABLE, change_times

_NEVER = "never"


class ChangeRun(Verb):
    """Changes the times of a run; those that are not named stay."""

    name, help = "change", "Change the deadline of a run, or the end of its pause."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which run, which times, and for which revision."""
        parser.add_argument("run", type=public_id, metavar="RUN")
        parser.add_argument(
            "--deadline", type=_time, dest="deadline_at", metavar="TIME", help="When it expires, or never."
        )
        parser.add_argument(
            "--suspended-until", type=_time, metavar="TIME", help="When its pause ends; never: when it is resumed."
        )
        parser.add_argument("--revision", type=int, metavar="N", help="Only if the run still stands there.")
        add_reason(parser)

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """What was done to the run."""
        given = {name: options[name] for name in CHANGEABLE if options[name] is not None}
        verdict = change_times(
            tenant_id=tenant_id,
            public_id=options["run"],
            changes={name: None if at == _NEVER else at for name, at in given.items()},
            reason=options["reason"],
            expected_revision=options["revision"],
            **by(options),
        )
        return answered([verdict])


class NoteRun(Verb):
    """Adds a line to the trace of a run; it stays where it is."""

    name, help = "note", "Add a note to the trace of a run."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which run, what happened, when, and after which line."""
        parser.add_argument("run", type=public_id, metavar="RUN")
        parser.add_argument("note", help=f"What happened, in 1 to {LONGEST_NOTE} characters; no payload values.")
        parser.add_argument("--at", type=instant, metavar="TIME", help="When it happened; now, if left out.")
        parser.add_argument("--expected-seq", type=int, metavar="SEQ", help="Only if this is the last line now.")
        parser.add_argument("--by", default="", metavar="NAME", help="Who says so.")

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """Where the trace has come to."""
        seq = append_transition(
            tenant_id=tenant_id,
            public_id=options["run"],
            note=options["note"],
            occurred_at=options["at"],
            expected_seq=options["expected_seq"],
            **by(options),
        )
        yield f"{options['run']}  noted, seq {seq}"


def _time(text: str) -> datetime | str:
    """A time, or that there is none."""
    return _NEVER if text == _NEVER else instant(text)


CHANGES = (ChangeRun(), NoteRun())
