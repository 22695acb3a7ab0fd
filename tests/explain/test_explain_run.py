"""Explaining runs that the engine brought where they stand: in every state that it knows."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import GRACE, drain, paid, publish, run_of, send, start, waiting_run
from tests.statements import note_statements
from workflows.errors import RunNotFound
from workflows.explain import Explanation, explain_run
from workflows.models import Transition
from workflows.services.advance import advance_due
from workflows.services.control import cancel_runs, wake_runs
from workflows.services.lost_work import end_lost_work
from workflows.services.work import claim_work, finish_work
from workflows.states import Cause
from workflows.steps.base import Outcome

CANARY = "canary-7f3a"
MAIL: dict[str, Any] = {
    "key": "mail",
    "templates": {"hello": {"subject": "Hello", "text": "Hello {{ data.name }}"}},
    "steps": [
        {
            "key": "email",
            "kind": "deliver",
            "channel": "email",
            "template": "hello",
            "to": "data.email",
            "retry": {"max_attempts": 3, "backoff": "none", "initial": "PT1H"},
            "on_outcome": {"bounced": {"stop": "no_address"}},
        },
        {"key": "calm", "kind": "wait", "for": "P1D"},
    ],
}


def explain(tenant: Tenant, run_id: int) -> Explanation:
    """The explanation, after what holds for every one: evidence is in the trace, and no payload value shows."""
    run = run_of(tenant, run_id)
    explained = explain_run(tenant_id=tenant.pk, public_id=run.public_id)
    with tenant_scope(tenant.pk):
        trace = Transition.objects.filter(tenant_id=tenant.pk, run_id=run_id)
        seqs = set(trace.values_list("seq", flat=True))
        status = trace.filter(reason=run.status_reason).order_by("-seq").values_list("seq", flat=True)[0]
    assert status in explained.evidence
    assert set(explained.evidence) <= seqs
    assert (explained.state, explained.reason, explained.step) == (run.state, run.status_reason, run.step)
    assert CANARY not in json.dumps(explained.as_dict())
    return explained


def mail_run(tenant: Tenant) -> int:
    publish(tenant, MAIL)
    run_id = start(tenant, "mail", data={"email": f"{CANARY}@example.com", "name": CANARY})
    drain(tenant)
    return run_id


def control(tenant: Tenant, run_id: int, verb: Callable[..., Any], reason: str = "asked by phone") -> None:
    public_id = run_of(tenant, run_id).public_id
    verb(tenant_id=tenant.pk, public_ids=[public_id], cause=Cause.OPERATOR, cause_ref="grace", reason=reason)


def allowed(explained: Explanation) -> list[str]:
    return [action.name for action in explained.actions if action.allowed]


def test_a_run_that_was_just_created(tenant: Tenant) -> None:
    publish(tenant, GRACE)
    explained = explain(tenant, start(tenant, "dunning"))

    assert re.fullmatch(
        r"Created at [\d:]+ UTC; the engine takes it up next and it begins with “grace”\. It expires at .+ UTC\.",
        explained.sentence,
    )
    assert [(one.on, one.then) for one in explained.next] == [
        ("start", {"step": "grace"}),
        ("deadline", {"state": "expired", "reason": "deadline_passed"}),
    ]
    assert (explained.evidence, allowed(explained)) == ((1,), ["cancel", "pause"])


def test_a_scheduled_run(tenant: Tenant) -> None:
    publish(tenant, GRACE)
    run_id = start(tenant, "dunning", at=datetime(2027, 3, 1, 9, 30, tzinfo=UTC))
    drain(tenant)

    assert explain(tenant, run_id).sentence.startswith("Scheduled: it begins with “grace” at 2027-03-01 09:30 UTC.")


def test_a_waiting_run_tells_what_ends_its_wait(tenant: Tenant) -> None:
    explained = explain(tenant, waiting_run(tenant))

    assert explained.sentence.startswith("Waiting at “grace” since ")
    assert " for invoice.paid (invoice_id 42) or customer.closed; at " in explained.sentence
    waiting = explained.waiting_for
    assert waiting is not None
    assert [(one.signal, one.match, one.then) for one in waiting.signals] == [
        ("invoice.paid", {"invoice_id": "42"}, {"state": "completed"}),
        ("customer.closed", None, {"state": "stopped", "reason": "customer_left"}),
    ]
    assert waiting.due_at == waiting.opened_at + timedelta(days=2)
    assert waiting.on_timeout == {"step": "second"}
    assert [(one.on, one.name) for one in explained.next] == [
        ("timer", ""),
        ("deadline", ""),
        ("signal", "invoice.paid"),
        ("signal", "customer.closed"),
    ]
    assert (explained.since, allowed(explained)) == (waiting.opened_at, ["cancel", "wake", "pause"])


def test_a_buffered_signal_is_mentioned_with_its_line(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    send(tenant, "invoice.disputed", correlation={"invoice_id": "42"})
    drain(tenant)

    explained = explain(tenant, run_id)

    assert (explained.pending_signals, explained.evidence) == (1, (2, 3, 4))
    assert "1 early signal is kept for a later wait." in explained.sentence


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        (
            "invoice.paid",
            {"correlation": {"invoice_id": "42"}},
            "Completed at {} UTC, because a rule of “grace” completed it when the signal invoice.paid came.",
        ),
        (
            "customer.closed",
            {"subject": "ada"},
            "Stopped at {} UTC, because a rule of “grace” stopped it (customer_left) "
            "when the signal customer.closed came.",
        ),
    ],
)
def test_a_run_that_a_signal_ended(tenant: Tenant, name: str, given: dict[str, Any], expected: str) -> None:
    run_id = waiting_run(tenant)
    send(tenant, name, **given)
    drain(tenant)

    explained = explain(tenant, run_id)

    before, after = expected.split("{}")
    assert explained.sentence.startswith(before)
    assert explained.sentence.endswith(after)
    assert (explained.waiting_for, explained.next, allowed(explained)) == (None, (), ["replay"])
    assert explained.evidence == (2, 3, 4, 5)


def test_a_run_that_went_through(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    for days in (3, 6):
        drain(tenant, now=datetime.now(UTC) + timedelta(days=days))

    assert explain(tenant, run_id).sentence.endswith("because “second” was the last step.")


def test_a_woken_run_goes_on(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    control(tenant, run_id, wake_runs)

    explained = explain(tenant, run_id)

    assert explained.step == "second"
    assert explained.evidence == (4, 5)  # the wake, and the wait that it led to


def test_a_cancelled_run_names_who_and_why(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    control(tenant, run_id, cancel_runs)

    explained = explain(tenant, run_id)

    assert re.fullmatch(r"Cancelled at [\d:]+ UTC by an operator \(grace\): asked by phone\.", explained.sentence)
    refusals = {action.why_not for action in explained.actions if action.name not in ("replay", "compensate")}
    assert (refusals, allowed(explained)) == ({"The run has ended: it is cancelled."}, ["replay"])


def test_an_expired_run(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    advance_due(tenant_id=tenant.pk, now=datetime.now(UTC) + timedelta(days=31))

    explained = explain(tenant, run_id)

    assert explained.sentence.endswith("because its deadline passed while it stood at “grace”.")
    assert explained.terminal_reason == "deadline_passed"


def test_owed_work_through_all_that_may_happen_to_it(tenant: Tenant, settings: Any) -> None:
    run_id = mail_run(tenant)
    owed = explain(tenant, run_id)
    assert owed.sentence.endswith("its work is owed, and no worker has taken it up yet.")
    assert [(one.on, one.name, one.then) for one in owed.next] == [
        ("attempt", "", {"step": "email", "attempt": 1, "of": 3}),
        ("outcome", "bounced", {"state": "stopped", "reason": "no_address"}),
        ("outcome", "", {"step": "calm"}),
    ]
    assert allowed(owed) == ["cancel", "pause"]

    claim = claim_work(tenant_id=tenant.pk, worker="w-1")
    assert claim is not None
    flying = explain(tenant, run_id)
    assert flying.sentence.endswith(" and is in flight.")
    assert flying.last_attempt is not None
    assert flying.last_attempt.in_flight_since == flying.last_attempt.started_at
    assert not flying.last_attempt.worker_lost

    finish_work(claim=claim, outcome=Outcome("temporary_failure", "smtp_421", retryable=True))
    again = explain(tenant, run_id)
    assert "attempt 1 ended with temporary_failure (smtp_421); attempt 2 of 3 comes at " in again.sentence
    assert again.last_attempt is not None
    assert again.last_attempt.retry_at == again.next[0].at
    assert again.evidence[-1] == run_of(tenant, run_id).seq  # the retry is a line of its own

    settings.LEASE_SECONDS = 0
    claim_work(tenant_id=tenant.pk, worker="w-2", now=datetime.now(UTC) + timedelta(days=1))
    silent = explain(tenant, run_id)
    assert silent.sentence.endswith("it may have taken effect, and another worker takes over under the same key.")
    assert silent.last_attempt is not None
    assert (silent.last_attempt.worker_lost, silent.last_attempt.number) == (True, 2)


def test_a_run_whose_step_took_down_its_workers_has_failed(tenant: Tenant, settings: Any) -> None:
    run_id = mail_run(tenant)
    settings.LEASE_SECONDS = 0
    while claim_work(tenant_id=tenant.pk, worker="doomed") is not None:
        pass
    end_lost_work(tenant_id=tenant.pk)

    explained = explain(tenant, run_id)

    assert explained.sentence.endswith("one worker after another was lost at “email”, so nobody tries it any more.")
    assert (explained.state, explained.terminal_reason) == ("failed", "step_quarantined")
    assert explained.last_attempt is not None
    assert explained.last_attempt.worker_lost


def test_what_the_engine_fails_on_is_shown(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tenant, GRACE)
    run_id = start(tenant, "dunning")
    monkeypatch.setattr("workflows.engine.journey.step_kind", lambda name: {}[name])
    drain(tenant)

    explained = explain(tenant, run_id)

    assert explained.engine_failures == 1
    assert "The engine failed on this run 1 time and tries again at " in explained.sentence
    assert explained.next[0].on == "engine" or explained.next[1].on == "engine"


def test_three_statements_are_enough(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    public_id = run_of(tenant, waiting_run(tenant)).public_id
    monkeypatch.setattr("workflows.services.documents._cache", {})
    statements: list[str] = []
    note_statements(monkeypatch, statements)
    with tenant_scope(tenant.pk):
        statements.clear()
        explain_run(tenant_id=tenant.pk, public_id=public_id)

    assert len([one for one in statements if "SELECT" in one and "set_config" not in one]) == 3


def test_another_tenants_run_is_not_there(tenant: Tenant, other_tenant: Tenant) -> None:
    public_id = run_of(tenant, waiting_run(tenant)).public_id

    with pytest.raises(RunNotFound):
        explain_run(tenant_id=other_tenant.pk, public_id=public_id)
    paid(other_tenant)
    drain(other_tenant)
    assert explain_run(tenant_id=tenant.pk, public_id=public_id).state == "waiting"
