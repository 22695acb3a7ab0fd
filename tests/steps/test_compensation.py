"""Undoing what an ended run did: last completed first, one at a time, once each, whatever happens to workers."""

from typing import Any

import pytest

from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import drain, publish, reasons_of, run_of, send, start
from tests.steps.owing import attempts, claimed, make_due
from tests.workflows.probe import Probe
from workflows.errors import StaleAttempt
from workflows.explain import Explanation, explain_run
from workflows.history.rebuild import rebuild_run
from workflows.models import StepRun, Transition
from workflows.services.control import ControlVerdict, cancel_runs, compensate_runs
from workflows.services.forsaken import end_forsaken
from workflows.services.lost_work import end_lost_work
from workflows.services.turn import work_turn
from workflows.services.unknown import settle_unknown
from workflows.services.work import MOST_LOST_ATTEMPTS, claim_work, finish_work
from workflows.states import Cause
from workflows.steps.base import Claim, Outcome
from workflows.store.reasons import is_address
from workflows.verify import verify_trace

BY: dict[str, Any] = {"cause": Cause.API, "cause_ref": "test", "reason": "changed their mind"}
ONE_TRY: dict[str, Any] = {"retry": {"max_attempts": 1}}
TWICE: dict[str, Any] = {"retry": {"max_attempts": 2, "backoff": "none", "initial": "PT1H"}}
UNDO: dict[str, Any] = {"kind": "probe"} | TWICE
REST: dict[str, Any] = {"key": "rest", "kind": "wait", "for": "P1D", "signals": [{"name": "again", "then": "next"}]}


def step(key: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "kind": "probe", "compensate": UNDO} | more


def resting(tenant: Tenant, *steps: dict[str, Any]) -> int:
    """A run that did its work and waits; three steps can be undone unless others are given."""
    chosen = steps or (step("reserve"), step("charge"), {"key": "tell", "kind": "probe"}, step("ship"))
    publish(tenant, {"key": "order", "steps": [*chosen, REST]})
    run_id = start(tenant, "order")
    work(tenant)
    return run_id


def work(tenant: Tenant) -> None:
    """Let engine and workers do all that is due."""
    while drain(tenant) + work_turn(tenant_id=tenant.pk):
        pass


def cancel(tenant: Tenant, run_id: int, compensate: bool = True) -> ControlVerdict:
    public_id = run_of(tenant, run_id).public_id
    [verdict] = cancel_runs(tenant_id=tenant.pk, public_ids=[public_id], compensate=compensate, **BY)
    return verdict


def ask(tenant: Tenant, run_id: int) -> ControlVerdict:
    [verdict] = compensate_runs(tenant_id=tenant.pk, public_ids=[run_of(tenant, run_id).public_id], **BY)
    return verdict


def undone(tenant: Tenant, run_id: int) -> list[tuple[str, int, str]]:
    """(step, visit, status) of every compensation, in order."""
    with tenant_scope(tenant.pk):
        rows = StepRun.objects.for_tenant(tenant.pk).filter(run_id=run_id, undo__gt=0, resend=0).order_by("undo")
        return list(rows.values_list("step", "visit", "status"))


def explained(tenant: Tenant, run_id: int) -> Explanation:
    return explain_run(tenant_id=tenant.pk, public_id=run_of(tenant, run_id).public_id)


def sent(probe: Probe) -> list[str]:
    """The compensations that reached the world, by step and visit, in order."""
    return [":".join(key.split(":")[1:3]) for key, _ in probe.ledger if key.endswith(":compensate")]


def allowed(said: Explanation) -> set[str]:
    return {one.name for one in said.actions if one.allowed}


def intact(tenant: Tenant, run_id: int) -> bool:
    """Whether the trace is whole and folds to what is stored."""
    rebuilt = rebuild_run(tenant_id=tenant.pk, public_id=run_of(tenant, run_id).public_id)
    return rebuilt.is_equal and list(verify_trace(tenant_id=tenant.pk)) == []


def fail_undoing(claim: Claim) -> Outcome:
    return Outcome("permanent_failure", "http 500") if claim.undo else Outcome("delivered")


def test_a_cancel_that_asks_for_it_undoes_what_was_done_the_last_first(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant)

    verdict = cancel(tenant, run_id)

    assert (verdict.verdict, verdict.state, verdict.compensates) == (
        "moved",
        "cancelled",
        ("ship", "charge", "reserve"),
    )
    ended = run_of(tenant, run_id)
    work(tenant)
    assert sent(probe) == ["ship:1", "charge:1", "reserve:1"]
    assert undone(tenant, run_id) == [(one, 1, "succeeded") for one in ("ship", "charge", "reserve")]
    after = run_of(tenant, run_id)
    assert (after.state, after.finished_at, after.terminal_reason) == (
        "cancelled",
        ended.finished_at,
        ended.terminal_reason,
    )
    assert reasons_of(tenant, run_id)[-5:] == ["cancelled", "compensation_owed", *["compensated"] * 3]
    assert explained(tenant, run_id).sentence.endswith("Undone: 3 of 3.")
    assert intact(tenant, run_id)


def test_a_cancel_that_does_not_ask_for_it_undoes_nothing(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant)

    assert cancel(tenant, run_id, compensate=False).compensates == ()

    work(tenant)
    assert (sent(probe), undone(tenant, run_id)) == ([], [])
    assert "compensate" in allowed(explained(tenant, run_id))


def test_cancelling_again_owes_nothing_more(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant)
    cancel(tenant, run_id)
    seq = run_of(tenant, run_id).seq

    again = cancel(tenant, run_id)

    assert (again.verdict, again.compensates, run_of(tenant, run_id).seq) == ("refused", (), seq)
    work(tenant)
    assert sent(probe) == ["ship:1", "charge:1", "reserve:1"]


def test_what_was_not_undone_can_be_asked_for_later_and_only_once(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant)
    assert ask(tenant, run_id).why == "The run has not ended; cancel it with compensation."
    cancel(tenant, run_id, compensate=False)

    assert ask(tenant, run_id).compensates == ("ship", "charge", "reserve")

    work(tenant)
    assert sent(probe) == ["ship:1", "charge:1", "reserve:1"]
    refused = ask(tenant, run_id)
    assert (refused.verdict, refused.why) == ("refused", "Nothing is left to undo.")
    assert "compensate" not in allowed(explained(tenant, run_id))
    assert intact(tenant, run_id)


def test_a_run_that_fails_is_undone_without_being_asked(tenant: Tenant, probe: Probe) -> None:
    publish(tenant, {"key": "order", "steps": [step("reserve"), step("charge"), step("ship")]})
    run_id = start(tenant, "order")
    drain(tenant)
    for _ in range(2):
        finish_work(claim=claimed(tenant), outcome=Outcome("delivered"))
    for _ in range(MOST_LOST_ATTEMPTS + 1):  # one worker after another dies at the third step
        claim_work(tenant_id=tenant.pk, worker="w")
        make_due(tenant)

    work(tenant)

    assert (run_of(tenant, run_id).state, run_of(tenant, run_id).status_reason) == ("failed", "step_quarantined")
    assert sent(probe) == ["ship:1", "charge:1", "reserve:1"]  # any of the workers may have shipped before it died
    assert intact(tenant, run_id)


def test_a_rule_may_stop_a_run_and_undo_it(tenant: Tenant, probe: Probe) -> None:
    probe.answer = lambda claim: Outcome("permanent_failure" if claim.step["key"] == "ship" else "delivered")
    stop = {"permanent_failure": {"stop": "not_shipped", "compensate": True}}
    publish(tenant, {"key": "order", "steps": [step("charge"), step("ship", on_outcome=stop)]})
    run_id = start(tenant, "order")

    work(tenant)

    run = run_of(tenant, run_id)
    assert (run.state, run.terminal_reason) == ("stopped", "not_shipped")
    assert sent(probe) == ["charge:1"]
    assert intact(tenant, run_id)


def test_every_visit_of_a_loop_is_undone_once_and_in_order(tenant: Tenant, probe: Probe) -> None:
    again = REST | {"signals": [{"name": "again", "then": {"goto": "charge"}}]}
    publish(tenant, {"key": "order", "steps": [step("charge"), step("ship"), again]})
    run_id = start(tenant, "order")
    for _ in range(2):
        work(tenant)
        send(tenant, "again", subject="ada")
    work(tenant)

    assert cancel(tenant, run_id).compensates == ("ship #3", "charge #3", "ship #2", "charge #2", "ship", "charge")

    work(tenant)
    assert sent(probe) == ["ship:3", "charge:3", "ship:2", "charge:2", "ship:1", "charge:1"]
    keys = [key for key, _ in probe.ledger]
    assert len(keys) == len(set(keys))


def test_the_next_begins_only_when_the_one_before_has_ended(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant)
    cancel(tenant, run_id)

    first = claimed(tenant)

    assert (first.undo, first.step["key"], claim_work(tenant_id=tenant.pk, worker="w2")) == (1, "ship.compensate", None)
    assert "0 of 3 done, attempt 1 at undoing “ship” is in flight" in explained(tenant, run_id).sentence
    finish_work(claim=first, outcome=Outcome("delivered"))
    said = explained(tenant, run_id)
    assert "Undoing: 1 of 3 done, next “charge” now." in said.sentence
    assert [(one.on, one.then["step"]) for one in said.next] == [("compensation", "charge")]
    assert claimed(tenant).undo == 2


def test_a_temporary_failure_is_tried_again_by_the_policy(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant, step("charge"))
    cancel(tenant, run_id)
    answers = [Outcome("temporary_failure", "http 503", retryable=True), Outcome("delivered")]
    probe.answer = lambda claim: answers.pop(0)

    work_turn(tenant_id=tenant.pk)

    assert reasons_of(tenant, run_id)[-1] == "retry_scheduled"
    assert undone(tenant, run_id) == [("charge", 1, "owed")]
    make_due(tenant)
    work(tenant)
    assert undone(tenant, run_id) == [("charge", 1, "succeeded")]
    assert attempts(tenant)[-2:] == [
        (1, "finished", "temporary_failure", "http 503"),
        (2, "finished", "delivered", ""),
    ]
    assert intact(tenant, run_id)


def test_one_that_fails_for_good_does_not_stop_the_others_and_can_be_tried_again(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant)
    probe.answer = lambda claim: (
        fail_undoing(claim) if claim.step["key"] == "charge.compensate" else Outcome("delivered")
    )
    cancel(tenant, run_id)
    work(tenant)
    assert undone(tenant, run_id) == [("ship", 1, "succeeded"), ("charge", 1, "failed"), ("reserve", 1, "succeeded")]
    assert "Undoing failed for “charge” (permanent_failure)" in explained(tenant, run_id).sentence
    assert "compensate" in allowed(explained(tenant, run_id))
    probe.answer = lambda claim: Outcome("delivered")

    assert ask(tenant, run_id).compensates == ("charge",)

    work(tenant)
    assert undone(tenant, run_id)[1] == ("charge", 1, "succeeded")
    tries = [one for one in probe.ledger if one[0].endswith(":charge:1:compensate")]
    assert [number for _, number in tries] == [1, 2]
    assert intact(tenant, run_id)


def test_retries_that_are_exhausted_are_a_failure(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant, step("charge"))
    probe.answer = lambda claim: Outcome("temporary_failure", "http 503", retryable=True)
    cancel(tenant, run_id)

    for _ in range(3):
        work(tenant)
        make_due(tenant)

    assert undone(tenant, run_id) == [("charge", 1, "failed")]
    assert (len(sent(probe)), reasons_of(tenant, run_id)[-1]) == (2, "compensation_failed")


def test_a_worker_that_dies_in_the_middle_is_followed_by_another(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant, step("charge"))
    cancel(tenant, run_id)
    dead = claimed(tenant)
    make_due(tenant)

    work(tenant)

    assert sent(probe) == ["charge:1"]
    assert reasons_of(tenant, run_id)[-2:] == ["attempt_lost", "compensated"]
    with pytest.raises(StaleAttempt):
        finish_work(claim=dead, outcome=Outcome("delivered"))
    assert reasons_of(tenant, run_id)[-1] == "stale_attempt"
    assert intact(tenant, run_id)


def test_one_that_takes_down_every_worker_is_given_up_and_the_others_go_on(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant, step("reserve"), step("charge"))
    cancel(tenant, run_id)
    for _ in range(MOST_LOST_ATTEMPTS + 1):
        claimed(tenant)
        make_due(tenant)

    work(tenant)

    assert undone(tenant, run_id) == [("charge", 1, "failed"), ("reserve", 1, "succeeded")]
    ask(tenant, run_id)
    work(tenant)
    assert undone(tenant, run_id)[0] == ("charge", 1, "succeeded")
    assert intact(tenant, run_id)


@pytest.mark.parametrize(("found_out", "then"), [("delivered", "succeeded"), ("permanent_failure", "failed")])
def test_what_must_not_happen_twice_waits_for_somebody(found_out: str, then: str, tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant, step("reserve"), step("charge", compensate=UNDO | {"at_most_once": True}))
    cancel(tenant, run_id)
    claim = claimed(tenant)
    make_due(tenant)
    end_lost_work(tenant_id=tenant.pk)
    work(tenant)
    assert undone(tenant, run_id) == [("charge", 1, "unknown"), ("reserve", 1, "succeeded")]
    assert "settle" in allowed(explained(tenant, run_id))

    settle_unknown(tenant_id=tenant.pk, key=claim.key, outcome=found_out, reason="asked the bank", cause_ref="olga")

    assert undone(tenant, run_id)[0] == ("charge", 1, then)
    assert "settle" not in allowed(explained(tenant, run_id))
    assert intact(tenant, run_id)


def test_an_unknown_one_that_is_to_be_tried_again_waits_for_its_turn(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant, step("reserve"), step("charge", compensate=UNDO | {"at_most_once": True}))
    cancel(tenant, run_id)
    charge = claimed(tenant)
    make_due(tenant)
    end_lost_work(tenant_id=tenant.pk)
    reserve = claimed(tenant)

    settle_unknown(tenant_id=tenant.pk, key=charge.key, outcome="retry", reason="asked the bank", cause_ref="olga")

    assert claim_work(tenant_id=tenant.pk, worker="w2") is None
    finish_work(claim=reserve, outcome=Outcome("delivered"))
    work(tenant)
    assert sent(probe) == ["charge:1"]
    assert undone(tenant, run_id) == [("charge", 1, "succeeded"), ("reserve", 1, "succeeded")]
    assert intact(tenant, run_id)


def in_flight(tenant: Tenant, **more: Any) -> tuple[int, Claim]:
    """A run cancelled with compensation while a worker is at its second step."""
    publish(tenant, {"key": "order", "steps": [step("reserve"), step("charge", **more), REST]})
    run_id = start(tenant, "order")
    drain(tenant)
    finish_work(claim=claimed(tenant), outcome=Outcome("delivered"))
    claim = claimed(tenant)
    verdict = cancel(tenant, run_id)
    assert (verdict.in_flight, verdict.compensates) == (("charge attempt 1",), ("charge", "reserve"))
    assert claim_work(tenant_id=tenant.pk, worker="w2") is None
    assert "“charge” is in flight and comes first" in explained(tenant, run_id).sentence
    return run_id, claim


def test_an_attempt_in_flight_that_succeeds_after_the_cancel_is_undone_first(tenant: Tenant, probe: Probe) -> None:
    run_id, claim = in_flight(tenant)

    finish_work(claim=claim, outcome=Outcome("delivered"))

    work(tenant)
    assert sent(probe) == ["charge:1", "reserve:1"]
    assert intact(tenant, run_id)


def test_an_attempt_in_flight_that_fails_after_the_cancel_has_nothing_to_undo(tenant: Tenant, probe: Probe) -> None:
    run_id, claim = in_flight(tenant)

    finish_work(claim=claim, outcome=Outcome("permanent_failure"))

    work(tenant)
    assert sent(probe) == ["reserve:1"]
    assert undone(tenant, run_id) == [("charge", 1, "cancelled"), ("reserve", 1, "succeeded")]
    assert explained(tenant, run_id).sentence.endswith("Undone: 2 of 2.")
    assert "compensation_needless" in reasons_of(tenant, run_id)
    assert intact(tenant, run_id)


@pytest.mark.parametrize(("found_out", "then"), [("delivered", "succeeded"), ("permanent_failure", "cancelled")])
def test_one_whose_worker_was_lost_is_undone_only_once_somebody_says_that_it_happened(
    found_out: str, then: str, tenant: Tenant, probe: Probe
) -> None:
    run_id, claim = in_flight(tenant, compensate=UNDO | {"unsure": "settle"})
    make_due(tenant)
    assert end_forsaken(tenant_id=tenant.pk) == 1
    work(tenant)
    assert undone(tenant, run_id) == [("charge", 1, "owed"), ("reserve", 1, "succeeded")]
    assert "Whether “charge” took effect nobody knows" in explained(tenant, run_id).sentence
    assert "settle" in allowed(explained(tenant, run_id))

    settle_unknown(tenant_id=tenant.pk, key=claim.key, outcome=found_out, reason="asked the bank", cause_ref="olga")

    work(tenant)
    assert undone(tenant, run_id)[0] == ("charge", 1, then)
    assert intact(tenant, run_id)


def test_steps_that_failed_are_not_undone(tenant: Tenant, probe: Probe) -> None:
    probe.answer = lambda claim: Outcome("permanent_failure" if claim.step["key"] == "charge" else "delivered")
    run_id = resting(tenant, step("reserve"), step("charge"))

    assert cancel(tenant, run_id).compensates == ("reserve",)


def test_what_is_settled_at_once_is_undone_in_the_same_transaction(tenant: Tenant, probe: Probe) -> None:
    at_once = UNDO | {"at_once": True}
    run_id = resting(tenant, step("reserve", compensate=at_once), step("charge", compensate=at_once))

    cancel(tenant, run_id)

    assert undone(tenant, run_id) == [("charge", 1, "succeeded"), ("reserve", 1, "succeeded")]
    assert explained(tenant, run_id).sentence.endswith("Undone: 2 of 2.")
    assert intact(tenant, run_id)


def test_the_key_of_a_compensation_is_that_of_its_visit_and_a_word_more(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant, step("charge"))
    cancel(tenant, run_id)

    assert claimed(tenant).key == f"{run_of(tenant, run_id).public_id}:charge:1:compensate"


def test_a_neighbour_undoes_nothing_of_ours(tenant: Tenant, other_tenant: Tenant, probe: Probe) -> None:
    mine, theirs = resting(tenant, step("charge")), resting(other_tenant, step("charge"))

    cancel(tenant, mine)
    work(other_tenant)

    assert sent(probe) == []
    assert undone(other_tenant, theirs) == []
    work(tenant)
    assert sent(probe) == ["charge:1"]


def test_the_lines_after_the_end_name_who_asked_and_what_became_of_it(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant, step("charge"))
    cancel(tenant, run_id, compensate=False)
    ask(tenant, run_id)
    work(tenant)

    with tenant_scope(tenant.pk):
        owed, done = Transition.objects.filter(tenant_id=tenant.pk, run_id=run_id).order_by("-seq")[:2][::-1]
    why = owed.context.pop("why")
    assert is_address(why)  # the words are kept elsewhere
    assert (owed.cause, owed.cause_ref, owed.context) == ("api", "test", {"count": 1, "steps": ["charge"]})
    assert done.context == {"compensates": "charge", "visit": 1, "outcome": "delivered", "attempt": 1}
