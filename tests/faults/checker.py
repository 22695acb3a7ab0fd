"""Judges a run: what was accepted against what the database, the mail server and the receiver hold."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.faults.crowds import beyond
from tests.faults.facts import Facts, Item, RunRow, Send
from tests.faults.journeys import Journey
from tests.faults.times import too_soon

STARTS = ("start", "placed")  # operations that make the run of a journey
TELL = "tell"  # the step that puts an item into an inbox: it is the transaction itself, so that it happens once


@dataclass(slots=True)
class Verdict:
    """The figures of the report. All but `repeated` must be zero."""

    lost: list[str] = field(default_factory=list)  # accepted, and not there
    doubled: list[str] = field(default_factory=list)  # applied twice, or sent twice without a word about it
    stuck: list[str] = field(default_factory=list)  # not where it must have come to by now
    violations: list[str] = field(default_factory=list)  # everything else that must never be
    untried: list[str] = field(default_factory=list)  # what this run should have shown, and did not get to
    repeated: int = 0  # messages that arrived twice under the same key, as an attempt of unknown end says

    def add(self, other: "Verdict", whose: str) -> None:
        """What was found elsewhere was found."""
        for name in ("lost", "doubled", "stuck", "violations", "untried"):
            getattr(self, name).extend(f"{whose}: {text}" for text in getattr(other, name))
        self.repeated += other.repeated

    @property
    def held(self) -> bool:
        """Whether nothing was found, and everything was tried."""
        return not (self.lost or self.doubled or self.stuck or self.violations or self.untried)


@dataclass(frozen=True, slots=True)
class Arrived:
    """What reached the outside world: by effect key as the provider sees it, or as REST shows it in an inbox."""

    posts: Mapping[str, int]
    mails: Mapping[str, int]
    items: Mapping[Item, int] = field(default_factory=dict)
    first: Mapping[str, float] = field(default_factory=dict)  # time of day at which a webhook came for the first time

    def of(self, send: Send) -> int:
        """How often the message of a step run arrived."""
        if send.step == TELL:
            return self.items.get(send.item, 0)
        return self.posts.get(send.as_webhook, 0) + self.mails.get(send.as_mail, 0)


def check(journeys: Sequence[Journey], facts: Facts, arrived: Arrived, found: Verdict | None = None) -> Verdict:
    """Everything that can be judged without the service's own tools, and what was found before."""
    verdict = found or Verdict()
    runs = facts.by_order
    for journey in journeys:
        verdict.violations += [f"{journey.kind} {journey.order}: {text}" for text in journey.surprises]
        _check_journey(journey, runs.get(journey.order, []), arrived, verdict)
    _check_signals(journeys, facts, verdict)
    _check_sends(facts.sends, arrived, verdict)
    _check_items(facts, arrived, verdict)
    verdict.violations += [*beyond(facts.runs), *too_soon(facts, arrived.first)]
    verdict.stuck += [f"the service counts {value:g} {name}" for name, value in facts.numbers.items() if value]
    return verdict


def _check_journey(journey: Journey, runs: Sequence[RunRow], arrived: Arrived, verdict: Verdict) -> None:
    name = f"{journey.kind} {journey.order}"
    started = any(one in journey.accepted for one in STARTS)
    if not journey.ended:
        verdict.stuck.append(f"{name}: its client did not come to an end")
    if len(runs) > 1:
        verdict.doubled.append(f"{name}: {len(runs)} runs")
    elif started and not runs:
        verdict.lost.append(f"{name}: the start was accepted and there is no run")
    elif runs and journey.ended:
        for kind, text in EXPECTED[journey.kind](journey, runs[0], arrived):
            getattr(verdict, kind).append(f"{name} (run {runs[0].public_id}): {text}")


def _check_signals(journeys: Sequence[Journey], facts: Facts, verdict: Verdict) -> None:
    """Every accepted signal is there once, routed, with a verdict."""
    signals = {signal.public_id: signal for signal in facts.signals}
    for journey in journeys:
        for what, receipt in journey.receipts.items():
            row = signals.get(receipt)
            if row is None:
                verdict.lost.append(f"{what} of {journey.order}: accepted as {receipt}, and not there")
            elif not (row.routed and row.verdict):
                verdict.stuck.append(f"{what} of {journey.order}: signal {receipt} has no verdict")
    counted = Counter((signal.tenant, signal.external_id) for signal in facts.signals)
    verdict.doubled += [f"signal {key[1]} of {key[0]} is there {n} times" for key, n in counted.items() if n > 1]


def _check_sends(sends: Sequence[Send], arrived: Arrived, verdict: Verdict) -> None:
    """Whatever arrived is owed by a step run, and what arrived twice says that its first try ended unseen."""
    known = {send.as_webhook for send in sends} | {send.as_mail for send in sends}
    verdict.violations += [
        f"message {key} arrived and no step run owed it" for key in (*arrived.posts, *arrived.mails) if key not in known
    ]
    for send in sends:
        count = arrived.of(send)
        if count > 1 and send.uncertain >= count - 1 and send.step != TELL:
            verdict.repeated += count - 1
        elif count > 1:
            verdict.doubled.append(f"{send.key} arrived {count} times; its attempts are {send.attempts}")
        if send.outcome == "delivered" and send.kind == "deliver" and not count:
            verdict.lost.append(f"{send.key} is recorded as delivered and never arrived")
        if any(one.status == "running" for one in send.attempts):
            verdict.stuck.append(f"{send.key} has an attempt that is still running")


def _check_items(facts: Facts, arrived: Arrived, verdict: Verdict) -> None:
    """Every item in an inbox is owed by a step run, and REST shows what the table holds."""
    owed = Counter(send.item for send in facts.sends if send.step == TELL)
    for item in sorted({*facts.items, *arrived.items}):
        if item not in owed:
            verdict.violations.append(f"item of {item} is in an inbox and no step run owed it")
        elif (stored := facts.items.get(item, 0)) != (shown := arrived.items.get(item, 0)):
            verdict.violations.append(f"{stored} items of {item} are stored, and REST shows {shown}")


# -- what must come of each kind -------------------------------------------------------------------------------------

Found = Iterator[tuple[str, str]]


def _completed(run: RunRow) -> Found:
    if run.state != "completed":
        yield "stuck", f"is {run.state} ({run.status_reason}) at {run.step}"


def _sent(run: RunRow, arrived: Arrived, at_least: int, at_most: int) -> Found:
    """How many different messages arrived. The same one twice is judged elsewhere."""
    count = sum(arrived.of(send) > 0 for send in run.sends if send.step != TELL)
    if count < at_least and run.state == "completed":
        yield "lost", f"{count} of {at_least} messages arrived"
    if count > at_most:
        yield "violations", f"{count} messages arrived, at most {at_most} were right"


def _sends(journey: Journey, run: RunRow, arrived: Arrived) -> Found:
    yield from _completed(run)
    yield from _sent(run, arrived, 1, 1)


def _told(run: RunRow, arrived: Arrived) -> Found:
    """Whether whoever it is about finds it in their inbox, where the run has passed the step that puts it there."""
    if run.state == "completed" and not any(arrived.of(send) for send in run.sends if send.step == TELL):
        yield "lost", "no item is in the inbox"


def _tells_and_ends_by_signal(journey: Journey, run: RunRow, arrived: Arrived) -> Found:
    yield from _told(run, arrived)
    yield from _ends_by_signal(journey, run, arrived)


def _ends_by_signal(journey: Journey, run: RunRow, arrived: Arrived) -> Found:
    if "paid" in journey.accepted:
        yield from _completed(run)
    yield from _sent(run, arrived, 0, 0)


def _races(journey: Journey, run: RunRow, arrived: Arrived) -> Found:
    yield from _completed(run)
    ends = [wait.outcome for wait in run.waits]
    timed_out = "timeout" in ends
    if len(ends) != 1 or ends[0] not in ("timeout", "signal"):
        yield "violations", f"the wait ended as {ends}"
    yield from _sent(run, arrived, int(timed_out), int(timed_out))


def _ends_cancelled(journey: Journey, run: RunRow, arrived: Arrived) -> Found:
    if "cancel" in journey.accepted and run.state != "cancelled":
        yield "lost", f"cancelled by its client, and is {run.state}"
    yield from _sent(run, arrived, 0, 0)


def _sends_once(journey: Journey, run: RunRow, arrived: Arrived) -> Found:
    count = sum(arrived.of(send) for send in run.sends)
    if count > 1:
        yield "violations", f"must not be sent twice, and arrived {count} times"
    if run.state == "active" and run.status_reason == "unknown_outcome":
        return  # it says that nobody knows, which is what was asked for
    yield from _completed(run)
    yield from _sent(run, arrived, 1, 1)


def _goes_on(journey: Journey, run: RunRow, arrived: Arrived) -> Found:
    yield from _completed(run)
    yield from _told(run, arrived)


EXPECTED: dict[str, Callable[[Journey, RunRow, Arrived], Found]] = {
    "canary": _sends,
    "crowd": _sends,
    "paid": _tells_and_ends_by_signal,
    "silent": _sends,
    "race": _races,
    "cancelled": _ends_cancelled,
    "flaky": _sends,
    "once": _sends_once,
    "early": _ends_by_signal,
    "paused": _goes_on,
    "asked": _sends,
}
