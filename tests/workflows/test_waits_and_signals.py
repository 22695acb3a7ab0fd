"""Waits and signals: early, late, matched, refused, and the timer that names its wait."""

from datetime import timedelta

import pytest

from tenants.models import Tenant
from tests.control.runs import order
from tests.journeys import (
    GRACE,
    drain,
    moves_of,
    paid,
    publish,
    reasons_of,
    run_of,
    send,
    signal_of,
    start,
    told_of,
    verdicts_of,
    waiting_run,
    waits_of,
)
from workflows.services import claiming
from workflows.services.advance import advance_due
from workflows.services.control import cancel_runs


def test_a_run_parks_and_says_what_it_waits_for(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)

    run = run_of(tenant, run_id)
    assert (run.state, run.step, run.visits) == ("waiting", "grace", {"grace": 1})
    assert moves_of(tenant, run_id) == [
        ("", "pending", "api", "created"),
        ("pending", "active", "trigger", "started"),
        ("active", "waiting", "step", "wait_opened"),
    ]
    assert run.due_at - run.step_entered_at == timedelta(days=2)


def test_a_matching_signal_ends_the_wait_and_follows_its_rule(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)

    receipt = paid(tenant)
    drain(tenant)

    assert run_of(tenant, run_id).state == "completed"
    assert verdicts_of(tenant, receipt) == [(run_id, "matched", "wait_ended")]
    assert signal_of(tenant, receipt).verdict == "matched"
    assert moves_of(tenant, run_id)[-2:] == [
        ("waiting", "active", "signal", "signal_matched"),
        ("active", "completed", "step", "rule_completed"),
    ]


def test_another_invoice_leaves_the_run_waiting(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)

    receipt = paid(tenant, "43")
    drain(tenant)

    assert run_of(tenant, run_id).state == "waiting"
    assert verdicts_of(tenant, receipt) == []
    assert (signal_of(tenant, receipt).verdict, signal_of(tenant, receipt).verdict_reason) == ("buffered", "no_run_yet")


def test_without_match_a_signal_means_the_subject(tenant: Tenant) -> None:
    run_id = waiting_run(tenant, subject="ada")

    send(tenant, "customer.closed", subject="bob")
    drain(tenant)
    assert run_of(tenant, run_id).state == "waiting"

    send(tenant, "customer.closed", subject="ada")
    drain(tenant)
    assert (run_of(tenant, run_id).state, run_of(tenant, run_id).terminal_reason) == ("stopped", "customer_left")


def test_one_signal_wakes_every_run_it_means(tenant: Tenant) -> None:
    runs = [waiting_run(tenant, subject=name) for name in ("ada", "bob", "eve")]

    receipt = paid(tenant)
    drain(tenant)

    assert [run_of(tenant, run_id).state for run_id in runs] == ["completed"] * 3
    assert [verdict for _, verdict, _ in verdicts_of(tenant, receipt)] == ["matched"] * 3


@pytest.mark.parametrize("routed_before_the_engine_sees_the_run", [True, False])
def test_a_signal_that_comes_before_the_wait_opens_is_used_once(
    tenant: Tenant, routed_before_the_engine_sees_the_run: bool
) -> None:
    publish(tenant, GRACE)
    run_id = start(tenant, "dunning", correlation={"invoice_id": "42"})
    receipt = paid(tenant)

    if not routed_before_the_engine_sees_the_run:
        advance_due(tenant_id=tenant.pk)
    drain(tenant)

    assert run_of(tenant, run_id).state == "completed"
    assert [verdict for _, verdict, _ in verdicts_of(tenant, receipt)] == ["matched"]
    assert reasons_of(tenant, run_id).count("early_signal_used") == 1


def test_a_signal_from_before_the_start_is_used_only_by_a_wait_that_looks_back_that_far(tenant: Tenant) -> None:
    receipt = paid(tenant)
    drain(tenant)
    far = {**GRACE, "key": "patient", "steps": [{**GRACE["steps"][0], "look_back": "PT1H"}, GRACE["steps"][1]]}

    near_run = waiting_run(tenant, GRACE)
    far_run = waiting_run(tenant, far)

    assert run_of(tenant, near_run).state == "waiting"
    assert run_of(tenant, far_run).state == "completed"
    assert verdicts_of(tenant, receipt) == [(far_run, "matched", "early_signal_used")]


def test_a_run_that_ends_before_it_looks_back_is_no_candidate_and_the_signal_keeps_its_own_verdict(
    tenant: Tenant,
) -> None:
    first, second = GRACE["steps"]
    publish(tenant, {**GRACE, "steps": [{**first, "look_back": "P1D"}, second]})
    receipt = paid(tenant)
    drain(tenant)
    kept = signal_of(tenant, receipt).verdict

    run_id = start(tenant, "dunning", correlation={"invoice_id": "42"})
    order(tenant, run_id, cancel_runs)
    drain(tenant)

    assert reasons_of(tenant, run_id) == ["created", "cancelled"]
    assert (verdicts_of(tenant, receipt), signal_of(tenant, receipt).verdict) == ([], kept)
    assert kept == "buffered"  # for a run to come, until one takes it or its time is over
    follower = start(tenant, "dunning", correlation={"invoice_id": "42"})
    drain(tenant)
    assert verdicts_of(tenant, receipt) == [(follower, "matched", "early_signal_used")]


def test_look_back_none_takes_only_what_comes_later(tenant: Tenant) -> None:
    deaf = {**GRACE, "key": "deaf", "steps": [{**GRACE["steps"][0], "look_back": "none"}, GRACE["steps"][1]]}
    publish(tenant, deaf)
    run_id = start(tenant, "deaf", correlation={"invoice_id": "42"})
    paid(tenant)
    drain(tenant)
    assert run_of(tenant, run_id).state == "waiting"

    paid(tenant)
    drain(tenant)
    assert run_of(tenant, run_id).state == "completed"


def test_a_signal_for_a_later_wait_is_kept_for_it(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    receipt = send(tenant, "invoice.disputed", correlation={"invoice_id": "42"})
    drain(tenant)
    assert run_of(tenant, run_id).pending_signals == 1
    assert verdicts_of(tenant, receipt) == [(run_id, "buffered", "no_wait_open")]

    drain(tenant, now=run_of(tenant, run_id).due_at)

    assert run_of(tenant, run_id).state == "completed"
    assert run_of(tenant, run_id).pending_signals == 0
    assert verdicts_of(tenant, receipt) == [(run_id, "matched", "early_signal_used")]
    assert waits_of(tenant, run_id) == [("grace", 1, "timeout"), ("second", 1, "signal")]


def test_what_a_finished_run_did_not_use_expires(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    unused = send(tenant, "invoice.disputed", correlation={"invoice_id": "42"})
    drain(tenant)

    paid(tenant)
    drain(tenant)

    assert run_of(tenant, run_id).pending_signals == 0
    assert verdicts_of(tenant, unused) == [(run_id, "expired", "run_finished")]


def test_a_signal_after_the_end_is_late_and_names_the_run(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    paid(tenant)
    drain(tenant)
    before = moves_of(tenant, run_id)

    late = paid(tenant)
    drain(tenant)

    assert verdicts_of(tenant, late) == [(run_id, "late", "run_finished")]
    assert signal_of(tenant, late).verdict == "late"
    assert moves_of(tenant, run_id) == before


def test_a_signal_whose_wait_has_passed_is_late(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    drain(tenant, now=run_of(tenant, run_id).due_at)
    assert run_of(tenant, run_id).step == "second"

    late = paid(tenant)
    drain(tenant)

    assert verdicts_of(tenant, late) == [(run_id, "late", "wait_passed")]
    assert run_of(tenant, run_id).state == "waiting"


def test_a_signal_nobody_listens_for_says_so(tenant: Tenant) -> None:
    receipt = send(tenant, "weather.changed")
    drain(tenant)

    assert (signal_of(tenant, receipt).verdict, signal_of(tenant, receipt).verdict_reason) == (
        "unmatched",
        "nobody_listens",
    )


def test_a_condition_that_refuses_names_the_clause_and_never_the_value(tenant: Tenant) -> None:
    wait = GRACE["steps"][0]
    rule = {**wait["signals"][0], "when": {"all": [{"path": "signal.data.amount", "gte": 100}]}}
    choosy = {**GRACE, "key": "choosy", "steps": [{**wait, "signals": [rule]}]}
    run_id = waiting_run(tenant, choosy)

    small = paid(tenant, data={"amount": 99})
    drain(tenant)

    assert run_of(tenant, run_id).state == "waiting"
    stored = signal_of(tenant, small)
    assert (stored.verdict, stored.verdict_context["clause"]) == ("rejected", "/all/0")
    assert "99" not in str(stored.verdict_context).replace(stored.verdict_context["input_digest"], "")
    assert reasons_of(tenant, run_id)[-1] == "signal_rejected"

    paid(tenant, data={"amount": 100})
    drain(tenant)
    assert run_of(tenant, run_id).state == "completed"


def test_routing_twice_changes_nothing(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    paid(tenant)
    drain(tenant)
    before = moves_of(tenant, run_id)

    assert drain(tenant) == 0
    assert moves_of(tenant, run_id) == before


def test_a_timer_never_fires_early_and_says_how_late_it_was(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    due = run_of(tenant, run_id).due_at

    assert drain(tenant, now=due - timedelta(microseconds=1)) == 0
    drain(tenant, now=due + timedelta(seconds=3))

    assert waits_of(tenant, run_id)[0] == ("grace", 1, "timeout")
    assert ("waiting", "active", "timer", "wait_timed_out") in moves_of(tenant, run_id)
    assert [line["late_ms"] for line in told_of(tenant, run_id, "wait_timed_out")] == [3000]


def test_the_deadline_ends_a_run_wherever_it_is(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    run = run_of(tenant, run_id)

    drain(tenant, now=run.deadline_at)

    ended = run_of(tenant, run_id)
    assert (ended.state, ended.terminal_reason, ended.due_at) == ("expired", "deadline_passed", None)
    assert waits_of(tenant, run_id) == [("grace", 1, "expired")]


def test_a_loop_waits_again_under_another_visit_and_uses_no_signal_twice(tenant: Tenant) -> None:
    loop = {
        "key": "loop",
        "steps": [
            {"key": "nag", "kind": "wait", "for": "PT1H", "on_timeout": "next", "signals": [{"name": "done"}]},
            {"key": "again", "kind": "wait", "for": "PT1H", "on_timeout": {"goto": "nag"}},
        ],
    }
    run_id = waiting_run(tenant, loop, correlation={})
    for _ in range(3):
        drain(tenant, now=run_of(tenant, run_id).due_at)

    assert waits_of(tenant, run_id)[-1] == ("again", 2, "")
    early = send(tenant, "done", subject="ada")
    drain(tenant)
    assert verdicts_of(tenant, early) == [(run_id, "buffered", "no_wait_open")]
    drain(tenant, now=run_of(tenant, run_id).due_at)
    assert waits_of(tenant, run_id)[-2:] == [("nag", 3, "signal"), ("again", 3, "")]
    drain(tenant, now=run_of(tenant, run_id).due_at)
    assert waits_of(tenant, run_id)[-1] == ("nag", 4, "")


def test_two_tenants_with_the_same_words_do_not_meet(tenant: Tenant, other_tenant: Tenant) -> None:
    mine, theirs = waiting_run(tenant), waiting_run(other_tenant)

    paid(tenant)
    drain(tenant)
    drain(other_tenant)

    assert run_of(tenant, mine).state == "completed"
    assert run_of(other_tenant, theirs).state == "waiting"


def test_a_run_on_an_older_version_is_judged_by_its_own_conditions(tenant: Tenant) -> None:
    wait = GRACE["steps"][0]
    rule = {**wait["signals"][0], "when": {"path": "signal.data.ok", "eq": True}}
    first = {**GRACE, "steps": [{**wait, "signals": [rule]}]}
    run_id = waiting_run(tenant, first)
    publish(tenant, GRACE)  # the next version has no condition

    paid(tenant, data={"ok": True})
    drain(tenant)

    assert run_of(tenant, run_id).state == "completed"


def test_a_run_has_the_data_of_the_signal_that_started_it_whatever_its_rule_reads(tenant: Tenant) -> None:
    step = {"key": "ask", "kind": "branch", "when": [{"if": {"path": "data.name", "eq": "Ada"}, "then": "complete"}]}
    start_on = {"signal": "user.joined", "subject": "signal.subject"}
    publish(tenant, {"key": "hello", "start_on": start_on, "steps": [{**step, "else": {"stop": "no_data"}}]})

    receipt = send(tenant, "user.joined", subject="ada", data={"name": "Ada"})
    drain(tenant)

    [(run_id, verdict, _)] = verdicts_of(tenant, receipt)
    assert (verdict, run_of(tenant, run_id).state) == ("started", "completed")


def test_a_definition_with_the_longest_key_starts_like_any_other(tenant: Tenant) -> None:
    start_on = {"signal": "user.joined", "subject": "signal.subject"}
    publish(tenant, {**GRACE, "key": "k" * 64, "start_on": start_on})

    receipt = send(tenant, "user.joined", subject="ada")
    drain(tenant)

    assert signal_of(tenant, receipt).verdict == "started"


def test_a_run_is_not_ended_by_the_signal_that_started_it(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming, "MOST_RUNS", 4)
    wait = {"key": "again", "kind": "wait", "for": "P1D", "signals": [{"name": "user.joined", "then": "complete"}]}
    publish(
        tenant, {"key": "hello", "start_on": {"signal": "user.joined", "subject": "signal.subject"}, "steps": [wait]}
    )
    for _ in range(5):
        start(tenant, "hello", "crowd")
    drain(tenant)

    send(tenant, "user.joined", subject="crowd")
    mine = send(tenant, "user.joined", subject="ada")
    drain(tenant)

    [(run_id, verdict, _)] = verdicts_of(tenant, mine)
    assert (verdict, run_of(tenant, run_id).state) == ("started", "waiting")
