"""Signal, timer, cancel and decision at one instant, 1,000 times, from separate connections: one winner each time."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from signals_app.services.intake import accept_signals
from signals_app.services.new_signal import NewSignal
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import drain, publish
from tests.racing import race
from workflows.models import SignalVerdict, Transition, Wait
from workflows.services.advance import advance_due
from workflows.services.approvals import Decision, approve_runs, reject_runs
from workflows.services.control import ControlVerdict, cancel_runs
from workflows.services.route import route_signals
from workflows.services.start import NewRun, Started, start_runs
from workflows.states import Cause
from workflows.verify import verify_trace

ROUNDS = 1000
BASE = datetime.now(UTC) + timedelta(days=1)
SIGN: dict[str, Any] = {
    "key": "sign",
    "correlation": ["order"],
    "steps": [
        {
            "key": "sign_off",
            "kind": "approval",
            "until": {"instant": "data.due_at"},
            "signals": [{"name": "order.closed", "match": {"order": "run.correlation.order"}, "then": "complete"}],
            "on_approve": "complete",
        }
    ],
}


def due(number: int) -> datetime:
    """Each run has a time of its own, so that the timer of a round is for the run of that round."""
    return BASE + timedelta(seconds=number)


def waiting_runs(tenant: Tenant) -> list[Started]:
    """One run for each round, each with a signal that nobody has routed yet."""
    publish(tenant, SIGN)
    runs = [
        NewRun(subject="ada", correlation={"order": str(number)}, data={"due_at": due(number).isoformat()})
        for number in range(ROUNDS)
    ]
    started = start_runs(tenant_id=tenant.pk, definition_key="sign", runs=runs)
    drain(tenant)
    signals = [NewSignal(name="order.closed", correlation={"order": str(number)}) for number in range(ROUNDS)]
    accept_signals(tenant_id=tenant.pk, signals=signals)
    return started


def contenders(tenant: Tenant, started: list[Started]) -> dict[str, Callable[[int], Any]]:
    """What each of the four does in a round."""
    by: dict[str, Any] = {"cause": Cause.API, "cause_ref": "race"}

    def decide(number: int) -> list[ControlVerdict]:
        verb = approve_runs if number // 4 % 2 else reject_runs  # who goes first changes every round, of four
        public_ids = [started[number].public_id]
        return verb(tenant_id=tenant.pk, public_ids=public_ids, decision=Decision("ada"), **by)

    def cancel(number: int) -> list[ControlVerdict]:
        return cancel_runs(tenant_id=tenant.pk, public_ids=[started[number].public_id], reason="race", **by)

    return {
        "signal": lambda number: route_signals(tenant_id=tenant.pk, limit=1),
        "timer": lambda number: advance_due(tenant_id=tenant.pk, limit=1, now=due(number)),
        "cancel": cancel,
        "decision": decide,
    }


def test_a_thousand_rounds_have_one_winner_each(tenant: Tenant) -> None:
    started = waiting_runs(tenant)

    answers = race(contenders(tenant, started), ROUNDS)

    assert {len(told) for told in answers.values()} == {ROUNDS}
    with tenant_scope(tenant.pk):
        outcomes = dict(Wait.objects.filter(tenant_id=tenant.pk).values_list("run_id", "outcome"))
        lines = list(
            Transition.objects.filter(tenant_id=tenant.pk, from_state="waiting").values_list("run_id", "reason")
        )
        said = dict(SignalVerdict.objects.filter(tenant_id=tenant.pk).values_list("run_id", "verdict"))
    ways_out = Counter(run_id for run_id, _ in lines)
    for number, run in enumerate(started):
        outcome = outcomes[run.run_id]
        assert ways_out[run.run_id] == 1, "the wait was left more than once"
        assert said[run.run_id] == ("matched" if outcome == "signal" else "late")
        assert (answers["cancel"][number][0].verdict == "moved") == (outcome == "cancelled")
        assert (answers["decision"][number][0].verdict == "moved") == (outcome in {"approved", "rejected"})
    winners = Counter(outcomes.values())
    assert set(winners) == {"signal", "timeout", "cancelled", "approved", "rejected"}, winners
    assert list(verify_trace(tenant_id=tenant.pk)) == []
