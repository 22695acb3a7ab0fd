"""Explaining signals: a verdict and a sentence for each run, or why there is no run."""

import json
from typing import Any

import pytest

from signals_app.services.intake import Receipt
from signals_app.verdict_reader import candidate_verdicts
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import GRACE, drain, paid, publish, run_of, send, signal_of, start, waiting_run
from workflows.explain import SignalExplanation, explain_signal
from workflows.explain.signal import SignalNotFound
from workflows.services.control import cancel_runs
from workflows.services.definitions import save_draft
from workflows.states import Cause

CANARY = 778899
PICKY: dict[str, Any] = {
    "key": "picky",
    "start_on": {
        "signal": "order.placed",
        "subject": "data.customer",
        "correlate": {"order": "data.order"},
        "when": {"path": "data.amount", "gte": 100},
    },
    "steps": [
        {
            "key": "ship",
            "kind": "wait",
            "for": "P1D",
            "signals": [
                {
                    "name": "order.shipped",
                    "match": {"order": "run.correlation.order"},
                    "when": {"path": "signal.data.parcels", "lte": 3},
                }
            ],
        }
    ],
}


def explain(tenant: Tenant, receipt: Receipt) -> SignalExplanation:
    explained = explain_signal(tenant_id=tenant.pk, public_id=receipt.public_id)
    assert str(CANARY) not in json.dumps(explained.as_dict())
    return explained


def routed(tenant: Tenant, receipt: Receipt) -> SignalExplanation:
    drain(tenant)
    return explain(tenant, receipt)


def order(tenant: Tenant, **data: Any) -> Receipt:
    return send(tenant, "order.placed", data={"customer": "ada", "order": "o1", "amount": 150} | data)


def test_before_it_is_routed(tenant: Tenant) -> None:
    explained = explain(tenant, paid(tenant))

    assert (explained.verdict, explained.runs, explained.routed_at) == ("", (), None)
    assert explained.sentence.endswith(" and not routed yet; the engine takes it up next.")


def test_a_signal_that_ended_a_wait(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    explained = routed(tenant, paid(tenant))

    (one,) = explained.runs
    assert (explained.verdict, explained.sentence) == ("matched", "It ended a wait (1 run concerned).")
    assert (one.run, one.definition, one.step) == (run_of(tenant, run_id).public_id, "dunning", "grace")
    assert one.sentence == "It ended the wait “grace”."


def test_an_early_signal_is_told_anew_when_it_is_used(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    receipt = send(tenant, "invoice.disputed", correlation={"invoice_id": "42"})

    kept = routed(tenant, receipt)
    assert (kept.verdict, kept.runs[0].verdict) == ("buffered", "buffered")
    assert kept.runs[0].sentence == "It came before any wait for it was open, and is kept for one."

    send(tenant, "customer.closed", subject="ada")
    drain(tenant)
    gone = explain(tenant, receipt)
    assert (run_of(tenant, run_id).state, gone.verdict) == ("stopped", "expired")  # not the stale word of its routing
    assert gone.runs[0].sentence == "It was kept for a later wait, and the run ended without one."


def test_a_late_signal(tenant: Tenant) -> None:
    waiting_run(tenant)
    paid(tenant)
    drain(tenant)

    explained = routed(tenant, paid(tenant, external_id="second"))

    assert (explained.verdict, explained.runs[0].sentence) == ("late", "The run had ended before it came.")


def test_a_condition_that_refused_it_names_itself_and_the_type_of_its_input(tenant: Tenant) -> None:
    publish(tenant, PICKY)
    started = routed(tenant, order(tenant))
    assert (started.verdict, started.runs[0].sentence) == ("started", "It started this run of picky v1.")

    explained = routed(tenant, send(tenant, "order.shipped", correlation={"order": "o1"}, data={"parcels": CANARY}))

    (one,) = explained.runs
    assert (explained.verdict, one.verdict, one.step) == ("rejected", "rejected", "ship")
    assert one.condition is not None
    assert (one.condition["path"], one.condition["op"]) == ("signal.data.parcels", "lte")
    digest = one.condition["input_digest"]
    assert one.sentence == (
        f"The wait “ship” refused it: signal.data.parcels was a number with digest {digest}, not at most the limit."
    )


@pytest.mark.parametrize(
    ("data", "ending"),
    [
        ({"amount": 5}, "not at least the limit."),
        ({"amount": None}, "not at least the limit."),
        ({"customer": ""}, "the start of picky v1 was refused: /0/subject (bad_subject)."),
    ],
)
def test_no_run_exists_because_the_start_was_refused(tenant: Tenant, data: dict[str, Any], ending: str) -> None:
    publish(tenant, PICKY)

    explained = routed(tenant, order(tenant, **data))

    assert (explained.verdict, explained.runs) == ("rejected", ())
    assert explained.sentence.startswith("No run exists for it because the start")
    assert "of picky v1" in explained.sentence
    assert explained.sentence.endswith(ending)


def test_no_run_exists_because_nobody_listens(tenant: Tenant) -> None:
    explained = routed(tenant, send(tenant, "weather.changed"))

    assert (explained.verdict, explained.reason) == ("unmatched", "nobody_listens")
    assert explained.sentence == (
        "No run exists for it because no published definition starts on weather.changed or waits for it."
    )


def test_a_draft_that_would_start_on_it_is_named(tenant: Tenant) -> None:
    save_draft(tenant_id=tenant.pk, document=PICKY)

    assert routed(tenant, order(tenant)).sentence.endswith(
        "It would start picky v1 (draft), if a version were published."
    )


def test_no_run_waits_for_it_yet(tenant: Tenant) -> None:
    publish(tenant, GRACE)
    receipt = paid(tenant)

    assert "because none waits for invoice.paid (invoice_id 42) yet" in routed(tenant, receipt).sentence

    start(tenant, "dunning", correlation={"invoice_id": "42"}, began_at=receipt.received_at)
    assert routed(tenant, receipt).verdict == "matched"  # the run looked back


def test_duplicates_are_counted(tenant: Tenant) -> None:
    waiting_run(tenant)
    for _ in range(3):
        receipt = paid(tenant, external_id="evt_1")

    assert routed(tenant, receipt).sentence.endswith("It was sent 2 more times, which changed nothing.")


def test_those_who_show_signals_get_the_same_verdicts(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    receipt = paid(tenant)
    drain(tenant)

    with tenant_scope(tenant.pk):
        (one,) = candidate_verdicts(tenant.pk, signal_of(tenant, receipt).pk)

    run = run_of(tenant, run_id).public_id
    assert (one.run, one.definition, one.step, one.verdict) == (run, "dunning", "grace", "matched")


def test_a_signal_among_runs_of_every_fate(tenant: Tenant) -> None:
    publish(tenant, GRACE)
    waiting, cancelled = (start(tenant, "dunning", name, correlation={"invoice_id": "42"}) for name in ("ada", "bob"))
    drain(tenant)
    public_id = run_of(tenant, cancelled).public_id
    cancel_runs(tenant_id=tenant.pk, public_ids=[public_id], cause=Cause.API, cause_ref="", reason="no")

    explained = routed(tenant, paid(tenant))

    assert explained.verdict == "matched"
    assert [one.run for one in explained.runs] == [run_of(tenant, waiting).public_id]


def test_another_tenants_signal_is_not_there(tenant: Tenant, other_tenant: Tenant) -> None:
    receipt = paid(tenant)

    with pytest.raises(SignalNotFound):
        explain_signal(tenant_id=other_tenant.pk, public_id=receipt.public_id)
