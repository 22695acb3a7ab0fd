"""`runs cancel`, `wake`, `pause`, `resume`, `approve` and `reject`: control calls on runs named by id."""

import uuid
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django.core.management.base import CommandError

from chimeway_py.errors import Invalid, fault
from chimeway_py.text import LONGEST_REASON
from workflows.management.arguments import instant, members, public_id
from workflows.management.verbs import Verb
from workflows.services.approvals import Decision, approve_runs, reject_runs
from workflows.services.control import ControlVerdict, cancel_runs, compensate_runs, pause_runs, resume_runs, wake_runs
from workflows.states import Cause

Control = Callable[..., list[ControlVerdict]]


class ControlRuns(Verb):
    """A control call with a reason."""

    def __init__(self, name: str, help: str, control: Control) -> None:
        self.name, self.help, self.control = name, help, control

    def arguments(self, parser: ArgumentParser) -> None:
        """Which runs, why, and who asks."""
        add_runs(parser)
        add_reason(parser)

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """A verdict for each run."""
        return answered(
            self.control(
                tenant_id=tenant_id,
                public_ids=options["runs"],
                expected=expected(options),
                **by(options),
                **self.more(options),
            )
        )

    def more(self, options: dict[str, Any]) -> dict[str, Any]:
        """What the service is told besides which runs and by whom."""
        return {"reason": options["reason"]}


class CancelRuns(ControlRuns):
    """The control call that may undo what was done."""

    def arguments(self, parser: ArgumentParser) -> None:
        """Whether it is undone, too."""
        super().arguments(parser)
        add_compensate(parser)

    def more(self, options: dict[str, Any]) -> dict[str, Any]:
        """Whether it is undone, too."""
        return {"reason": options["reason"], "compensate": options["compensate"]}


class PauseRuns(ControlRuns):
    """The control call that may end by itself."""

    def arguments(self, parser: ArgumentParser) -> None:
        """Until when, too."""
        super().arguments(parser)
        parser.add_argument("--until", type=instant, metavar="TIME", help="When they go on by themselves.")

    def more(self, options: dict[str, Any]) -> dict[str, Any]:
        """Until when, too."""
        return {"reason": options["reason"], "until": options["until"]}


class DecideRuns(ControlRuns):
    """The control calls that say yes or no in somebody's name."""

    def arguments(self, parser: ArgumentParser) -> None:
        """Which runs, who decides, and what they say."""
        add_runs(parser)
        parser.add_argument("--by", required=True, metavar="ACTOR", help="Who decides, in the words of the step.")
        add_decision(parser)

    def more(self, options: dict[str, Any]) -> dict[str, Any]:
        """The decision."""
        return {"decision": decision_of(options)}


def add_runs(parser: ArgumentParser) -> None:
    """The ids of runs, and the revision of one."""
    parser.add_argument("runs", nargs="+", type=public_id, metavar="RUN")
    parser.add_argument("--revision", type=int, metavar="N", help="Of one run: only if it still stands there.")


def expected(options: dict[str, Any]) -> dict[uuid.UUID, int]:
    """The revision that was asked for, by run. Raises `Invalid` where several runs are named."""
    if options["revision"] is None:
        return {}
    if len(options["runs"]) > 1:
        raise Invalid("The call is not valid.", [fault("/revision", "conflict", "It is the revision of one run.")])
    return {options["runs"][0]: options["revision"]}


def add_compensate(parser: ArgumentParser) -> None:
    """The option that undoes what was done."""
    parser.add_argument("--compensate", action="store_true", help="Undo afterwards what steps with `compensate` did.")


def add_decision(parser: ArgumentParser) -> None:
    """The options of what is said to an approval."""
    parser.add_argument("--comment", default="", help="Of a decision: kept as a payload, apart from the trace.")
    parser.add_argument("--metadata", type=members, default={}, metavar="JSON", help="Of a decision, likewise.")
    parser.add_argument("--step", default="", help="The approval that is meant; another one is then refused.")
    parser.add_argument("--visit", type=int, metavar="N", help="Its visit, in a loop.")


def decision_of(options: dict[str, Any]) -> Decision:
    """What is said to an approval, by whom."""
    said = {name: options[name] for name in ("comment", "metadata", "step", "visit")}
    return Decision(actor=options["by"], **said)


def add_reason(parser: ArgumentParser, *, required: bool = True) -> None:
    """The options that say why, and who asks."""
    help = f"At most {LONGEST_REASON} characters; the trace keeps it."
    parser.add_argument("--reason", required=required, default="", type=reason_text, help=help)
    parser.add_argument("--by", default="", metavar="NAME", help="Who asks for it.")


def by(options: dict[str, Any]) -> dict[str, Any]:
    """The cause that a service is told."""
    return {"cause": Cause.OPERATOR, "cause_ref": options["by"] or "command line"}


def answered(verdicts: Sequence[ControlVerdict]) -> Iterator[str]:
    """The same, and a failure of the command when every run was refused."""
    yield from told(verdicts)
    fail_if_all_refused(sum(one.verdict != "refused" for one in verdicts), len(verdicts))


def fail_if_all_refused(done: int, asked: int) -> None:
    """The exit code is 1 when something was asked for and nothing of it was done: a script has to see that."""
    if asked and not done:
        raise CommandError("Nothing was done: what was asked for was refused.")


def told(verdicts: Iterable[ControlVerdict]) -> Iterator[str]:
    """One line for each verdict."""
    for one in verdicts:
        in_flight = f", in flight: {', '.join(one.in_flight)}" if one.in_flight else ""
        why = f" ({one.why})" if one.why else ""
        undone = f", to be undone: {', '.join(one.compensates)}" if one.compensates else ""
        again = f", replayed as {one.replay}" if one.replay else ""
        yield f"{one.public_id}  {one.verdict}, {one.state}{in_flight}{undone}{again}{why}"


def reason_text(text: str) -> str:
    """An argument that says why."""
    if len(text) > LONGEST_REASON:
        raise ArgumentTypeError(f"it has more than {LONGEST_REASON} characters")
    return text


CONTROLS = (
    CancelRuns("cancel", "End runs.", cancel_runs),
    ControlRuns("compensate", "Undo what ended runs did, and try failed compensations again.", compensate_runs),
    ControlRuns("wake", "End the open waits of runs, as though their time had come.", wake_runs),
    PauseRuns("pause", "Hold runs where they stand.", pause_runs),
    ControlRuns("resume", "Let paused runs go on.", resume_runs),
    DecideRuns("approve", "Say yes to the open approvals of runs.", approve_runs),
    DecideRuns("reject", "Say no to the open approvals of runs.", reject_runs),
)
