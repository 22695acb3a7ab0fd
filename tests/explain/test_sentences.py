"""Sentences without a database: every state and every reason has one."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from tests.journeys import GRACE
from workflows.engine.permits import ACTIONS
from workflows.explain.because import CLAUSES
from workflows.explain.picture import OpenWait, Picture, RunRow, SeenLine, Try, Work
from workflows.explain.run import explanation_of
from workflows.explain.sentences import sentence
from workflows.explain.wording import instant, listed
from workflows.services.documents import read_document
from workflows.states import TERMINAL, Reason, RunState

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(days=2)
WAIT = OpenWait(
    step="grace",
    visit=1,
    opened_at=NOON - timedelta(hours=2, minutes=48),
    signals=[{"name": "invoice.paid", "match": {"invoice_id": "42"}, "then": "complete"}],
    due_at=LATER,
    on_timeout={"goto": "second"},
)
RUN = RunRow(
    id=1,
    public_id=uuid.UUID(int=7),
    definition_id=1,
    subject="ada",
    state="waiting",
    status_reason="wait_opened",
    status_context={},
    step="grace",
    visits={"grace": 1},
    pending_signals=0,
    suspended_until=None,
    deadline_at=None,
    due_at=LATER,
    terminal_reason="",
    engine_failures=0,
    seq=3,
    created_at=NOON,
    step_entered_at=NOON,
    finished_at=None,
)
LAST = Try(
    step="grace",
    visit=1,
    number=1,
    status="finished",
    outcome="temporary_failure",
    error="smtp_421",
    started_at=NOON,
    finished_at=NOON,
    retry_at=LATER,
    lease_until=None,
)


def picture(work: Work | None = None, last: Try | None = None, wait: OpenWait | None = None, **run: Any) -> Picture:
    """A run at `grace`, with what is given changed."""
    row = replace(RUN, **run)
    line = SeenLine(
        3, row.step, row.visits.get(row.step, 0), "active", row.state, row.status_reason, "step", "", {}, NOON
    )
    version = read_document(1, "dunning", 3, GRACE)
    return Picture(row, version, wait, work, last, (line,), NOON)


@pytest.mark.parametrize(("state", "reason"), list(product(RunState, Reason)))
def test_every_state_and_reason_has_a_sentence(state: RunState, reason: Reason) -> None:
    ended = {"finished_at": NOON, "due_at": None} if state in TERMINAL else {}
    stood = picture(wait=WAIT if state == RunState.WAITING else None, state=state, status_reason=reason, **ended)

    explained = explanation_of(stood)

    assert explained.sentence.endswith(".")
    assert explained.sentence[0].isupper()
    assert not {"None", "{", "}", "  "} & set(explained.sentence.split(" "))
    assert reason.value not in explained.sentence or "_" not in reason.value
    assert bool(explained.next) != (state in TERMINAL) or state in {RunState.ACTIVE, RunState.PAUSED}
    assert tuple(action.name for action in explained.actions) == ACTIONS
    assert all(action.allowed != bool(action.why_not) for action in explained.actions)


def test_the_list_of_clauses_is_the_list_of_reasons() -> None:
    assert set(CLAUSES) == set(Reason)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"wait": WAIT},
            "Waiting at “grace” since 09:12 UTC for invoice.paid (invoice_id 42); "
            "at 2026-11-22 12:00 UTC it goes on to “second”.",
        ),
        (
            {"wait": replace(WAIT, on_timeout={"stop": "gave_up"}), "pending_signals": 2},
            "Waiting at “grace” since 09:12 UTC for invoice.paid (invoice_id 42); "
            "at 2026-11-22 12:00 UTC it stops (gave_up). 2 early signals are kept for a later wait.",
        ),
        (
            {"wait": replace(WAIT, signals=[])},
            "Waiting at “grace” since 09:12 UTC; at 2026-11-22 12:00 UTC it goes on to “second”.",
        ),
        (
            {"wait": replace(WAIT, due_at=None, on_timeout=None)},
            "Waiting at “grace” since 09:12 UTC for invoice.paid (invoice_id 42); no time limit is set.",
        ),
        (  # the engine is behind: an operator must see it
            {"wait": replace(WAIT, due_at=NOON - timedelta(minutes=1), on_timeout="complete")},
            "Waiting at “grace” since 09:12 UTC for invoice.paid (invoice_id 42); its time was up at 11:59:00 UTC "
            "and the engine is late: it completes as soon as it is taken up.",
        ),
        (
            {"state": "pending", "step": "", "status_reason": "scheduled"},
            "Scheduled: it begins with “grace” at 2026-11-22 12:00 UTC.",
        ),
        (
            {"state": "pending", "step": "", "status_reason": "created", "due_at": NOON, "engine_failures": 3},
            "Created at 12:00:00 UTC; the engine takes it up next and it begins with “grace”. "
            "The engine failed on this run 3 times and tries again at 12:00:00 UTC.",
        ),
        (
            {"state": "active", "work": Work("owed", 0, 0, NOON)},
            "At “grace” since 12:00:00 UTC: its work is owed, and no worker has taken it up yet.",
        ),
        (
            {"state": "active", "work": Work("owed", 1, 0, LATER), "last": LAST},
            "At “grace” since 12:00:00 UTC: attempt 1 ended with temporary_failure (smtp_421); "
            "attempt 2 of 5 comes at 2026-11-22 12:00 UTC.",
        ),
        (
            {"state": "active", "work": Work("running", 1, 0, LATER), "last": LAST},
            "At “grace” since 12:00:00 UTC: attempt 1 began at 12:00:00 UTC and is in flight.",
        ),
        (
            {"state": "active", "work": Work("running", 1, 0, NOON), "last": LAST},
            "At “grace” since 12:00:00 UTC: attempt 1 began at 12:00:00 UTC and its worker has fallen silent; "
            "it may have taken effect, and another worker takes over under the same key.",
        ),
        (  # it was not at_most_once when it was published: why it is tried again is told
            {"state": "active", "work": Work("owed", 1, 0, LATER, maybe_done=True), "last": LAST},
            "At “grace” since 12:00:00 UTC: attempt 1 ended with temporary_failure (smtp_421) and may have taken "
            "effect; attempt 2 of 5 comes at 2026-11-22 12:00 UTC under the same key, because the step is not "
            "at_most_once.",
        ),
    ],
)
def test_sentences(given: dict[str, Any], expected: str) -> None:
    assert sentence(picture(**given)) == expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (NOON - timedelta(hours=3), "09:00 UTC"),
        (NOON + timedelta(seconds=5), "12:00:05 UTC"),  # what is near is told to the second
        (NOON + timedelta(days=1), "2026-11-21 12:00 UTC"),
        (NOON.replace(hour=0) - timedelta(seconds=1), "2026-11-19 23:59 UTC"),
    ],
)
def test_times_are_as_long_as_they_need_to_be(at: datetime, expected: str) -> None:
    assert instant(at, NOON) == expected


def test_long_lists_are_cut() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b"], "or") == "a or b"
    assert listed(["a", "b", "c", "d", "e"], "or") == "a, b, c or 2 more"
