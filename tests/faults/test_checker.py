"""The checker of `bin/prove` sees each kind of fault: every case is an honest run with one thing changed."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.faults.calls import Slow
from tests.faults.chaos import Broken
from tests.faults.checker import Arrived, Verdict, check
from tests.faults.crowds import LIMIT, SLACK, SLUG, beyond
from tests.faults.facts import Attempt, Facts, Item, RunRow, Send, SignalRow, Wait
from tests.faults.ground import LEASE_SECONDS
from tests.faults.journeys import Journey
from tests.faults.patience import hung
from tests.faults.recovery import recoveries, untried

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FINISHED = Attempt("finished", "delivered", "")


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def lost(*, after: float, lease: float = LEASE_SECONDS) -> Attempt:
    """An attempt whose worker fell silent, and whose lease was taken as over so many seconds after it began."""
    return Attempt("lost", "unknown", "lease_expired", NOW, later(lease), later(after))


@dataclass
class Story:
    """One canary, one paid journey and one that nobody pays, all as they should be."""

    journeys: list[Journey] = field(default_factory=list)
    facts: Facts = field(default_factory=lambda: Facts([], [], [], {"overdue_timers": 0.0}))
    posts: dict[str, int] = field(default_factory=dict)
    mails: dict[str, int] = field(default_factory=dict)
    items: dict[Item, int] = field(default_factory=dict)  # as REST shows them
    first: dict[str, float] = field(default_factory=dict)  # when the receiver had each webhook

    def verdict(self) -> Verdict:
        return check(self.journeys, self.facts, Arrived(self.posts, self.mails, self.items, self.first))

    @property
    def send(self) -> Send:
        return self.facts.sends[0]

    @property
    def canary(self) -> RunRow:
        return self.facts.runs[0]

    @property
    def paid(self) -> RunRow:
        return self.facts.runs[1]

    @property
    def silent(self) -> RunRow:
        return self.facts.runs[2]


def run(number: int, kind: str) -> RunRow:
    return RunRow(1, number, "t", f"run-{number}", kind, "completed", "", f"o{number}", NOW, NOW, "last", f"c{number}")


@pytest.fixture
def story() -> Story:
    told = Story()
    canary = Journey(1, 0, "canary", 0, (), "o1", accepted={"start": 1.0}, ended=True)
    paid = Journey(
        2, 0, "paid", 0, (), "o2", accepted={"placed": 1.0, "paid": 2.0}, receipts={"paid": "s1"}, ended=True
    )
    silent = Journey(3, 0, "silent", 0, (), "o3", accepted={"start": 1.0}, ended=True)
    told.journeys = [canary, paid, silent]
    told.facts.runs = [run(1, "canary"), run(2, "paid"), run(3, "silent")]
    send = Send(1, 1, 1, "deliver", "mail", "run-1:mail:1", "succeeded", "delivered", 1, 0, [FINISHED])
    tell = Send(1, 2, 2, "deliver", "tell", "run-2:tell:1", "succeeded", "delivered", 1, 0, [FINISHED])
    post = Send(1, 3, 3, "deliver", "post", "run-3:post:1", "succeeded", "delivered", 1, 0, [FINISHED])
    told.facts.sends = [send, tell, post]
    told.canary.sends, told.paid.sends, told.silent.sends = [send], [tell], [post]
    told.silent.waits = [Wait("timeout", NOW, later(4), later(4.1))]
    told.facts.read_at = later(60)
    told.posts, told.first = {post.as_webhook: 1}, {post.as_webhook: later(4.2).timestamp()}
    told.facts.items, told.items = {tell.item: 1}, {tell.item: 1}
    told.facts.signals = [SignalRow("s1", "paid-o2", "matched", True, "t")]
    told.mails = {send.as_mail: 1}
    return told


def no_run(story: Story) -> None:
    story.facts.runs = story.facts.runs[1:]


def no_signal(story: Story) -> None:
    story.facts.signals = []


def no_mail(story: Story) -> None:
    story.mails = {}


def no_item(story: Story) -> None:
    story.facts.items, story.items = {}, {}


def an_item_that_nobody_recorded(story: Story) -> None:
    story.paid.sends = []
    del story.facts.sends[1]


def two_items_although_a_try_is_unknown(story: Story) -> None:
    """A mail may arrive twice then, and an item may not: it is written by the transaction that settles the step."""
    story.facts.sends[1].attempts = [lost(after=5), FINISHED]
    story.facts.items = story.items = {story.facts.sends[1].item: 2}


def an_item_that_nobody_is_shown(story: Story) -> None:
    story.facts.items = {story.facts.sends[1].item: 2}


def an_item_that_nobody_owed(story: Story) -> None:
    story.facts.items = {**story.facts.items, ("run-1", "tell"): 1}


def two_runs(story: Story) -> None:
    story.facts.runs.append(run(1, "canary"))


def two_signals(story: Story) -> None:
    story.facts.signals *= 2


def two_mails_without_a_word(story: Story) -> None:
    story.mails = {story.send.as_mail: 2}


def not_ended(story: Story) -> None:
    story.canary.state = "active"


def a_client_that_came_to_no_end(story: Story) -> None:
    story.journeys[0].ended = False


def no_verdict(story: Story) -> None:
    story.facts.signals[0].verdict = ""


def never_routed(story: Story) -> None:
    story.facts.signals[0].routed = False


def overdue(story: Story) -> None:
    story.facts.numbers = {"overdue_timers": 1.0}


def still_running(story: Story) -> None:
    story.send.attempts = [Attempt("running", "", "")]


def nobodys_message(story: Story) -> None:
    story.posts["msg_nobody"] = 1


def sent_although_paid(story: Story) -> None:
    story.paid.sends.append(story.send)


def a_surprise(story: Story) -> None:
    story.journeys[0].surprises.append("start answered 418")


def a_wait_that_ended_before_it_was_due(story: Story) -> None:
    story.silent.waits = [Wait("timeout", NOW, later(4), later(0.05))]


def a_wait_that_was_due_too_soon(story: Story) -> None:
    story.silent.waits = [Wait("timeout", NOW, later(0.04), later(0.05))]


def a_wait_by_a_clock_that_is_behind(story: Story) -> None:
    story.silent.waits = [Wait("timeout", later(-3600), later(-3596), later(0.05))]


def a_wait_by_a_clock_that_is_ahead(story: Story) -> None:
    story.silent.waits = [Wait("timeout", NOW, later(4), later(3600))]


def a_message_that_came_before_the_wait_was_over(story: Story) -> None:
    (key,) = story.first
    story.first[key] = later(0.1).timestamp()


def a_race_that_time_won_too_soon(story: Story) -> None:
    story.silent.kind = story.journeys[2].kind = "race"
    story.silent.waits = [Wait("timeout", NOW, later(3), later(0.05))]


def a_lease_that_was_stolen(story: Story) -> None:
    story.send.attempts = [lost(after=LEASE_SECONDS - 0.1), FINISHED]


def a_lease_that_was_given_for_no_time(story: Story) -> None:
    story.send.attempts = [lost(after=0.2, lease=-3600), FINISHED]


CASES: list[tuple[Callable[[Story], None], str]] = [
    *((case, "lost") for case in (no_run, no_signal, no_mail, no_item)),
    *((case, "doubled") for case in (two_runs, two_signals, two_mails_without_a_word)),
    (two_items_although_a_try_is_unknown, "doubled"),
    *((case, "stuck") for case in (not_ended, no_verdict, never_routed, overdue, still_running)),
    (a_client_that_came_to_no_end, "stuck"),
    *((case, "violations") for case in (nobodys_message, sent_although_paid, a_surprise)),
    *((case, "violations") for case in (an_item_that_nobody_is_shown, an_item_that_nobody_owed)),
    (an_item_that_nobody_recorded, "violations"),
    (a_wait_that_ended_before_it_was_due, "violations"),
    (a_wait_that_was_due_too_soon, "violations"),
    (a_wait_by_a_clock_that_is_behind, "violations"),
    (a_wait_by_a_clock_that_is_ahead, "violations"),
    (a_message_that_came_before_the_wait_was_over, "violations"),
    (a_race_that_time_won_too_soon, "violations"),
    (a_lease_that_was_stolen, "violations"),
    (a_lease_that_was_given_for_no_time, "violations"),
]


def test_an_honest_story_holds(story: Story) -> None:
    assert story.verdict().held


@pytest.mark.parametrize(("change", "kind"), CASES, ids=lambda value: getattr(value, "__name__", value))
def test_one_thing_that_is_wrong_is_found(change: Callable[[Story], None], kind: str, story: Story) -> None:
    change(story)

    verdict = story.verdict()

    assert getattr(verdict, kind)
    assert not verdict.held


def test_a_message_that_came_twice_and_says_so_is_counted_and_no_fault(story: Story) -> None:
    story.mails = {story.send.as_mail: 2}
    story.send.attempts = [lost(after=5), FINISHED]

    verdict = story.verdict()

    assert verdict.held
    assert verdict.repeated == 1


@pytest.mark.parametrize(("state", "held"), [("active", True), ("waiting", False)])
def test_what_must_not_be_sent_twice_may_stay_unknown(state: str, held: bool, story: Story) -> None:
    story.journeys[0].kind = story.canary.kind = "once"
    story.canary.state, story.canary.status_reason = state, "unknown_outcome"

    assert story.verdict().held == held


def test_recovery_is_counted_from_the_mending_to_the_first_canary_that_started_after_it() -> None:
    moment = NOW.timestamp()
    fault = Broken("kill_postgres", 0, happened=True, began=moment - 3, mended=moment - 1)
    before, after = run(1, "canary"), run(2, "canary")
    before.created_at = datetime.fromtimestamp(moment - 2, UTC)
    after.finished_at = datetime.fromtimestamp(moment + 10, UTC)

    (line,) = recoveries([fault], [before, after])

    assert (line.kind, line.seconds, line.longest, line.late) == ("kill_postgres", [11.0], 11.0, True)
    assert [*untried([fault], [line])] == []


@pytest.mark.parametrize(
    ("kind", "took", "late"),
    [
        ("flush_broker", 40, True),
        ("flush_broker", 14, False),
        ("kill_broker", 16, True),
        ("kill_all_workers", 16, True),
        ("kill_postgres", 11, True),
        ("kill_web", 40, False),  # it has nothing of a run that is under way
    ],
)
def test_a_run_that_lost_its_nudge_is_measured_and_not_only_the_next_one(kind: str, took: float, late: bool) -> None:
    fault = Broken(kind, 0, happened=True, began=later(5).timestamp(), mended=later(8).timestamp())
    met, new = run(1, "canary"), run(2, "canary")
    met.created_at, met.finished_at = later(7), later(8 + took)
    new.created_at, new.finished_at = later(9), later(9.5)

    (line,) = recoveries([fault], [met, new])

    assert (line.seconds, line.late) == ([1.5], late)
    assert ("1 under way" in str(line)) == (kind != "kill_web")


def test_what_a_run_lost_to_the_next_fault_is_not_counted() -> None:
    fault = Broken("flush_broker", 0, happened=True, began=later(5).timestamp(), mended=later(8).timestamp())
    other = Broken("silence_providers", 9, happened=True, began=later(10).timestamp(), mended=later(13).timestamp())
    met, new = run(1, "canary"), run(2, "canary")
    met.created_at, met.finished_at = later(7), later(20)
    new.created_at, new.finished_at = later(14), later(15)

    lines = {line.kind: line for line in recoveries([fault, other], [met, new])}

    assert (lines["flush_broker"].under_way, lines["silence_providers"].under_way) == ([9.0], [])


def test_what_never_happened_or_was_not_measured_is_told_and_does_not_hold(story: Story) -> None:
    moment = NOW.timestamp()
    begun, after = run(1, "canary"), moment + 1
    faults = [
        Broken("kill_postgres", 4, happened=True, mended=after),
        Broken("die_before_finish", 9, note="nothing came to it", mended=moment - 1),
        Broken("hold_locks", 20, alone=False, owed=False),
    ]

    lines = recoveries(faults, [begun])

    assert [(line.kind, line.unmeasured) for line in lines] == [
        ("kill_postgres", ["no canary that began after it has ended"]),
        ("die_before_finish", ["it never happened"]),
    ]
    assert str(lines[1]).endswith(" not measured: it never happened")
    found = [*untried(faults, lines)]
    assert [text.partition(":")[0] for text in found] == ["die_before_finish", "kill_postgres"]
    verdict = story.verdict()
    assert verdict.held
    verdict.untried += found
    assert not verdict.held


@pytest.mark.parametrize(("starts", "found"), [(LIMIT + SLACK, 0), (LIMIT + SLACK + 1, 1)])
def test_more_starts_than_a_limit_lets_through_are_seen(starts: int, found: int) -> None:
    runs = [replace(run(number, "canary"), tenant=SLUG) for number in range(starts)]

    assert len([*beyond(runs)]) == found
    assert [*beyond([run(number, "canary") for number in range(starts)])] == []  # others have no limit


@pytest.mark.parametrize(
    ("kind", "seconds", "status", "hangs"),
    [
        ("take_all_connections", 3.0, 503, False),
        ("take_all_connections", 4.5, 503, True),
        ("kill_postgres", 9.0, 503, True),
        ("kill_postgres", 9.0, 202, False),  # it was taken in the end
        ("silence_database_link", 9.0, 503, False),  # a statement was under way
        ("hold_locks", 9.0, 503, False),
        ("freeze_broker", 9.0, 202, True),  # no request asks it
        ("freeze_broker", 3.0, 202, False),
        ("", 9.0, 503, True),
        ("", 9.0, 202, False),
    ],
)
def test_a_caller_who_hangs_is_seen(kind: str, seconds: float, status: int, hangs: bool) -> None:
    faults = [Broken(kind, 0, began=100, mended=103)] if kind else []

    found = list(hung([Slow(102 + seconds, seconds, status, "POST /v1/signals")], faults))

    assert len(found) == hangs
