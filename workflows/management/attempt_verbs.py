"""`steps begin`, `renew`, `complete`, `fail`, `record` and `attempts`: work that somebody does by hand."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from workflows.management.arguments import instant, members
from workflows.management.verbs import Verb
from workflows.services.attempts import PastAttempt, attempts_of, record_attempt
from workflows.services.attempts_by_hand import (
    Held,
    Token,
    begin_by_hand,
    complete_by_hand,
    fail_by_hand,
    renew_by_hand,
)
from workflows.services.work import Finish


class Begin(Verb):
    """Claims."""

    name, help = "begin", "Begin an attempt at a step that is due; nobody else does it meanwhile."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which step run, who does it, and whether before its time."""
        _add_key(parser)
        _add_worker(parser)
        _add_lease(parser)
        parser.add_argument("--early", action="store_true", help="Although its next try is not due yet.")

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """The fence to say with all that follows."""
        said = {name: options[name] for name in ("key", "worker", "early", "lease_seconds")}
        yield _held(begin_by_hand(tenant_id=tenant_id, **said))


class Holding(Verb):
    """Does something with an attempt that was begun."""

    def arguments(self, parser: ArgumentParser) -> None:
        """Which attempt."""
        _add_key(parser)
        parser.add_argument("fence", type=int, metavar="FENCE", help="As `begin` printed it.")
        _add_worker(parser)


class Renew(Holding):
    """Keeps."""

    name, help = "renew", "Keep an attempt for another length of a lease."

    def arguments(self, parser: ArgumentParser) -> None:
        """For how long, too."""
        super().arguments(parser)
        _add_lease(parser)

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """Until when."""
        yield _held(renew_by_hand(tenant_id=tenant_id, token=_token(options), lease_seconds=options["lease_seconds"]))


class Complete(Holding):
    """Ends."""

    name, help = "complete", "End an attempt; the run goes on."

    def arguments(self, parser: ArgumentParser) -> None:
        """How it ended, too."""
        super().arguments(parser)
        parser.add_argument("outcome", metavar="OUTCOME", help="A word of the step's kind.")
        parser.add_argument("--answer", type=members, metavar="JSON", help="Where the step keeps an answer.")

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """What it decided."""
        said = {name: options[name] for name in ("outcome", "answer")}
        yield _ended(complete_by_hand(tenant_id=tenant_id, token=_token(options), **said))


class Fail(Holding):
    """Ends what failed."""

    name, help = "fail", "End an attempt that failed; the step says whether another comes."

    def arguments(self, parser: ArgumentParser) -> None:
        """Why, and whether it may be tried again, too."""
        super().arguments(parser)
        parser.add_argument("error", metavar="ERROR", help="A code, never a value.")
        parser.add_argument("--final", action="store_true", help="It is not tried again.")
        parser.add_argument("--retry-after", type=float, metavar="SECONDS", help="To leave before the next try.")
        parser.add_argument("--maybe-done", action="store_true", help="It may have taken effect.")

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """What it decided."""
        said = {name: options[name] for name in ("error", "retry_after", "maybe_done")}
        token = _token(options)
        yield _ended(fail_by_hand(tenant_id=tenant_id, token=token, retryable=not options["final"], **said))


class Record(Verb):
    """Keeps what was tried elsewhere."""

    name, help = "record", "Record a finished attempt that was made elsewhere; it settles nothing."

    def arguments(self, parser: ArgumentParser) -> None:
        """All that there is of it."""
        _add_key(parser)
        parser.add_argument("number", type=int, metavar="NUMBER", help="The next one of the step run.")
        parser.add_argument("outcome", metavar="OUTCOME")
        parser.add_argument("--started", type=instant, required=True, metavar="TIME")
        parser.add_argument("--finished", type=instant, required=True, metavar="TIME")
        parser.add_argument("--error", default="", help="A code, never a value.")
        parser.add_argument("--retryable", action="store_true")
        parser.add_argument("--worker", default="import", metavar="NAME")

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """What is stored."""
        said = {name: options[name] for name in ("number", "outcome", "error", "retryable", "worker")}
        past = PastAttempt(started_at=options["started"], finished_at=options["finished"], **said)
        recorded = record_attempt(tenant_id=tenant_id, key=options["key"], attempt=past)
        yield f"{options['key']}  attempt {recorded.number}  {recorded.outcome}"


class Attempts(Verb):
    """Lists."""

    name, help = "attempts", "List the attempts at a step run, oldest first."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which step run."""
        _add_key(parser)

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """One line for each."""
        for one in attempts_of(tenant_id=tenant_id, key=options["key"]):
            error = f"  {one.error}" if one.error else ""
            yield f"{one.number}  {one.status}  {one.outcome or '-'}  {one.worker}  {one.started_at.isoformat()}{error}"


def _add_key(parser: ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="The effect key of the step run: RUN:STEP:VISIT.")


def _add_worker(parser: ArgumentParser) -> None:
    parser.add_argument("--worker", required=True, metavar="NAME", help="Who does it: the same with every call.")


def _add_lease(parser: ArgumentParser) -> None:
    help = "How long it is theirs, unless it is renewed; else as long as a worker of ours would have it."
    parser.add_argument("--lease", type=int, dest="lease_seconds", metavar="SECONDS", help=help)


def _token(options: dict[str, Any]) -> Token:
    return Token(options["key"], options["fence"], options["worker"])


def _held(one: Held) -> str:
    return f"{one.key}  attempt {one.number}, fence {one.fence}, until {one.lease_until:%Y-%m-%d %H:%M:%S} UTC"


def _ended(one: Finish) -> str:
    again = f", again at {one.retry_at:%Y-%m-%d %H:%M:%S} UTC" if one.retry_at else ""
    return f"{one.outcome.word}{again}"


ATTEMPTS = (Attempts(), Begin(), Renew(), Complete(), Fail(), Record())
