"""Signal, timer and cancel at one instant, from separate connections: one winner, losers recorded."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from chimeway_py.embedded.postgres import Postgres
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import (
    GRACE,
    drain,
    moves_of,
    paid,
    publish,
    run_of,
    signal_of,
    start,
    verdicts_of,
    waiting_run,
    waits_of,
)
from tests.racing import wait_until_blocked
from workflows.models import Run
from workflows.services import route
from workflows.services.advance import advance_due
from workflows.services.control import cancel_runs
from workflows.services.route import route_signals
from workflows.states import Cause

ROUNDS = 60


def cancel(tenant: Tenant, run_id: int) -> Any:
    return cancel_runs(
        tenant_id=tenant.pk,
        public_ids=[run_of(tenant, run_id).public_id],
        cause=Cause.API,
        cause_ref="test",
        reason="changed my mind",
    )[0]


def test_signal_timer_and_cancel_have_one_winner(
    tenant: Tenant, together: Callable[..., list[Any]], in_turn: Callable[..., list[Any]]
) -> None:
    """Each of them goes first once, for certain; in the other rounds nobody knows."""
    publish(tenant, GRACE)
    winners = []
    for number in range(ROUNDS):
        run_id = waiting_run(tenant, correlation={"invoice_id": f"i{number}"})
        due = run_of(tenant, run_id).due_at
        receipt = paid(tenant, f"i{number}")
        contenders = [
            lambda: route_signals(tenant_id=tenant.pk),
            lambda due=due: advance_due(tenant_id=tenant.pk, now=due),
            lambda run_id=run_id: cancel(tenant, run_id),
        ]
        turn = number % 3

        answers = (in_turn if number < 3 else together)(*contenders[turn:], *contenders[:turn])

        assert not [answer for answer in answers if isinstance(answer, Exception)]
        drain(tenant)
        outcomes = [outcome for step, _, outcome in waits_of(tenant, run_id) if step == "grace"]
        assert len(outcomes) == 1
        ends = [move for move in moves_of(tenant, run_id) if move[0] == "waiting"]
        assert ends[0][3] in {"signal_matched", "wait_timed_out", "cancelled"}
        winners.append(outcomes[0])
        [(_, verdict, _)] = verdicts_of(tenant, receipt)
        assert verdict == ("matched" if outcomes[0] == "signal" else "late")
        cancel(tenant, run_id)
    assert winners[:3] == ["signal", "timeout", "cancelled"]


@pytest.mark.parametrize("first", ["signal", "cancel"])
def test_who_takes_the_row_lock_first_wins(tenant: Tenant, postgres: Postgres, first: str) -> None:
    run_id = waiting_run(tenant)
    receipt = paid(tenant)
    contenders = {
        "signal": threading.Thread(target=lambda: route_signals(tenant_id=tenant.pk)),
        "cancel": threading.Thread(target=lambda: cancel(tenant, run_id)),
    }
    second = "cancel" if first == "signal" else "signal"

    with tenant_scope(tenant.pk):  # hold the row, let both queue behind it in a known order, then let go
        list(Run.objects.for_tenant(tenant.pk).filter(pk=run_id).locked())
        contenders[first].start()
        wait_until_blocked(postgres)
        contenders[second].start()
        wait_until_blocked(postgres, 2)
    for thread in contenders.values():
        thread.join(10)

    drain(tenant)
    assert run_of(tenant, run_id).state == ("completed" if first == "signal" else "cancelled")
    assert [verdict for _, verdict, _ in verdicts_of(tenant, receipt)] == ["matched" if first == "signal" else "late"]


def test_a_signal_routed_while_the_start_is_not_committed_is_found_by_the_look_back(tenant: Tenant) -> None:
    publish(tenant, GRACE)

    with tenant_scope(tenant.pk):
        run_id = start(tenant, "dunning", correlation={"invoice_id": "42"})
        receipts: list[Any] = []

        def send_and_route() -> None:
            receipts.append(paid(tenant))
            route_signals(tenant_id=tenant.pk)

        thread = threading.Thread(target=send_and_route)
        thread.start()
        thread.join(10)
        assert verdicts_of(tenant, receipts[0]) == []

    drain(tenant)
    assert run_of(tenant, run_id).state == "completed"
    assert verdicts_of(tenant, receipts[0]) == [(run_id, "matched", "early_signal_used")]


def test_a_signal_that_meets_an_opening_wait_waits_for_the_row_and_ends_it(tenant: Tenant, postgres: Postgres) -> None:
    publish(tenant, GRACE)
    run_id = start(tenant, "dunning", correlation={"invoice_id": "42"})
    routing = threading.Thread(target=lambda: route_signals(tenant_id=tenant.pk))

    with tenant_scope(tenant.pk):
        advance_due(tenant_id=tenant.pk)  # looked back, found nothing, opened the wait; not committed
        sending = threading.Thread(target=lambda: paid(tenant))
        sending.start()
        sending.join(10)
        routing.start()
        wait_until_blocked(postgres)
    routing.join(10)

    assert run_of(tenant, run_id).state == "completed"
    assert waits_of(tenant, run_id) == [("grace", 1, "signal")]


def test_early_signals_and_opening_waits_at_one_instant(tenant: Tenant, together: Callable[..., list[Any]]) -> None:
    publish(tenant, GRACE)
    for number in range(ROUNDS):
        run_id = start(tenant, "dunning", correlation={"invoice_id": f"i{number}"})
        receipt = paid(tenant, f"i{number}")

        together(lambda: advance_due(tenant_id=tenant.pk), lambda: route_signals(tenant_id=tenant.pk))

        drain(tenant)
        assert run_of(tenant, run_id).state == "completed", number
        assert [verdict for _, verdict, _ in verdicts_of(tenant, receipt)] == ["matched"]


def test_a_run_that_is_told_and_ends_while_its_signal_is_routed_is_not_told_that_it_came_late(
    tenant: Tenant, together: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tenant, GRACE)
    receipt = paid(tenant)
    run_ids = []
    began_at = signal_of(tenant, receipt).received_at
    cut = route.cut

    def find_none_and_let_a_run_begin(*given: Any) -> Any:
        found = cut(*given)
        [run_id] = together(lambda: start(tenant, "dunning", correlation={"invoice_id": "42"}, began_at=began_at))
        run_ids.append(run_id)
        return found

    tell = route._tell_finished

    def tell_after_the_run_has_ended(*given: Any) -> None:
        together(lambda: advance_due(tenant_id=tenant.pk))
        tell(*given)

    monkeypatch.setattr(route, "cut", find_none_and_let_a_run_begin)
    monkeypatch.setattr(route, "_tell_finished", tell_after_the_run_has_ended)

    route_signals(tenant_id=tenant.pk)

    assert run_of(tenant, run_ids[0]).state == "completed"
    assert verdicts_of(tenant, receipt) == [(run_ids[0], "matched", "early_signal_used")]
    assert signal_of(tenant, receipt).verdict == "matched"
