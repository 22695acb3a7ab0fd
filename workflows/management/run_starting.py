"""`runs start` and `runs list`."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from workflows.management.arguments import at_most, instant, members, public_id
from workflows.management.run_controlling import by
from workflows.management.verbs import Verb
from workflows.services.runs import list_runs
from workflows.services.start import NewRun, Started, start_runs
from workflows.states import RunState


class StartRuns(Verb):
    """Starts a run for each subject and writes their ids."""

    name, help = "start", "Start a run for each subject."

    def arguments(self, parser: ArgumentParser) -> None:
        """What the runs start with."""
        parser.add_argument("workflow", metavar="KEY", help="The key of a published definition.")
        parser.add_argument("subjects", nargs="+", metavar="SUBJECT")
        parser.add_argument(
            "--correlation", action="append", default=[], metavar="NAME=VALUE", help="Any number of them."
        )
        parser.add_argument(
            "--data", type=members, default={}, metavar="JSON", help="What templates and conditions see."
        )
        parser.add_argument("--version", type=int, dest="number", metavar="N", help="The latest when left out.")
        parser.add_argument("--at", type=instant, metavar="TIME", help="When they begin; now, if left out.")
        parser.add_argument("--idempotency-key", metavar="KEY", help="The same key again starts nothing new.")
        parser.add_argument(
            "--on-duplicate",
            choices=("return", "skip"),
            default="return",
            help="What is said of a key that came before.",
        )
        parser.add_argument("--by", default="", metavar="NAME", help="Who starts them.")

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """The id of each run, and what there is to say of one that is not new."""
        started = start_runs(
            tenant_id=tenant_id,
            definition_key=options["workflow"],
            runs=_asked(options),
            version=options["number"],
            on_duplicate=options["on_duplicate"],
        )
        return map(_told, started)


class ListRuns(Verb):
    """Lists runs."""

    name, help = "list", "List runs, newest first."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which runs, and how many."""
        parser.add_argument("--workflow", metavar="KEY")
        parser.add_argument("--state", choices=RunState.values)
        parser.add_argument("--subject")
        parser.add_argument("--waiting-on", metavar="SIGNAL")
        parser.add_argument("--due-before", type=instant, metavar="TIME")
        parser.add_argument("--correlation", action="append", default=[], metavar="NAME=VALUE")
        parser.add_argument("--after", type=public_id, metavar="RUN", help="Go on after the last run of a list before.")
        parser.add_argument("--limit", type=at_most, default=50)

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """One line for each."""
        same = ("state", "subject", "waiting_on", "due_before", "after", "limit")
        runs = list_runs(
            tenant_id=tenant_id,
            definition_key=options["workflow"],
            correlation=dict(pair.partition("=")[::2] for pair in options["correlation"]),
            **{name: options[name] for name in same},
        )
        for run in runs:
            yield f"{run.public_id}  {run.state:<9}  {run.definition_key}  {run.step or '-'}  {run.subject}"


def _asked(options: dict[str, Any]) -> list[NewRun]:
    """A run for each subject; a key given for several is told apart by the subject, as in REST."""
    correlation = dict(pair.partition("=")[::2] for pair in options["correlation"])
    subjects, key = options["subjects"], options["idempotency_key"]
    return [
        NewRun(
            subject,
            correlation,
            options["data"],
            idempotency_key=f"{key}:{subject}" if key and len(subjects) > 1 else key,
            at=options["at"],
            **by(options),
        )
        for subject in subjects
    ]


def _told(one: Started) -> str:
    said = "skipped" if one.skipped else "cancelled" if one.cancelled else "" if one.created else "is here already"
    return f"{one.public_id}  {said}".rstrip()
