"""Lines added from outside: in order, in the caller's transaction, and only after the line that was seen last."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from chimeway_py.errors import Invalid
from tenants.models import Tenant
from tenants.scope import database_now, tenant_scope
from tests.journeys import drain, paid, rows_of, run_of, waiting_run
from workflows.errors import RunNotFound
from workflows.history.append import CursorMismatch, Note, append_transition, append_transitions
from workflows.history.rebuild import rebuild_run
from workflows.models import Run, Transition
from workflows.states import Cause, InvalidTransition
from workflows.verify import verify_trace


def add(tenant: Tenant, run: Run, note: str = "customer called", **given: Any) -> int:
    return append_transition(
        tenant_id=tenant.pk, public_id=run.public_id, note=note, cause=Cause.OPERATOR, cause_ref="ada", **given
    )


def test_a_note_is_a_line_like_any_other_and_moves_nothing(tenant: Tenant) -> None:
    run = run_of(tenant, waiting_run(tenant))

    seq = add(tenant, run)

    after = run_of(tenant, run.pk)
    assert (seq, after.seq, after.revision) == (run.seq + 1, run.seq + 1, run.revision + 1)
    assert (after.state, after.step, after.status_reason, after.due_at) == (
        run.state,
        run.step,
        run.status_reason,
        run.due_at,
    )
    with tenant_scope(tenant.pk):
        line = Transition.objects.get(tenant_id=tenant.pk, run_id=run.pk, seq=seq)
    assert (line.reason, line.context, line.cause_ref) == ("note_added", {"note": "customer called"}, "ada")
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def test_a_note_keeps_the_time_it_is_given(tenant: Tenant) -> None:
    run = run_of(tenant, waiting_run(tenant))
    times = [run.updated_at, database_now()]

    append_transitions(
        tenant_id=tenant.pk,
        public_id=run.public_id,
        notes=[Note("rang", times[0]), Note("hung up", times[1])],
        cause=Cause.API,
        expected_seq=run.seq,
    )

    with tenant_scope(tenant.pk):
        lines = Transition.objects.filter(tenant_id=tenant.pk, run_id=run.pk, seq__gt=run.seq).in_order()
        assert [line.occurred_at for line in lines] == times
    assert run_of(tenant, run.pk).updated_at > times[1]
    assert rebuild_run(tenant_id=tenant.pk, public_id=run.public_id).is_equal


def test_another_cursor_is_refused_with_both_numbers(tenant: Tenant) -> None:
    run = run_of(tenant, waiting_run(tenant))
    before = rows_of(tenant)

    with pytest.raises(CursorMismatch) as refusal:
        add(tenant, run, expected_seq=run.seq - 1)

    assert refusal.value.detail == {"expected": run.seq - 1, "actual": run.seq}
    assert rows_of(tenant) == before


def test_of_eight_who_saw_the_same_line_one_adds_the_next(tenant: Tenant, together: Callable[..., list[Any]]) -> None:
    run = run_of(tenant, waiting_run(tenant))

    answers = together(*[lambda: add(tenant, run, expected_seq=run.seq)] * 8)

    assert [answer for answer in answers if isinstance(answer, int)] == [run.seq + 1]
    assert {type(answer) for answer in answers} == {int, CursorMismatch}
    assert run_of(tenant, run.pk).seq == run.seq + 1


def test_eight_who_do_not_care_all_add_theirs(tenant: Tenant, together: Callable[..., list[Any]]) -> None:
    run = run_of(tenant, waiting_run(tenant))

    answers = together(*[lambda: add(tenant, run)] * 8)

    assert sorted(answers) == [run.seq + number for number in range(1, 9)]
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def test_it_is_written_in_the_callers_transaction(tenant: Tenant) -> None:
    run = run_of(tenant, waiting_run(tenant))
    before = rows_of(tenant)

    with tenant_scope(tenant.pk):
        add(tenant, run)
        transaction.set_rollback(True)

    assert (rows_of(tenant), run_of(tenant, run.pk).seq) == (before, run.seq)


@pytest.mark.parametrize(
    ("note", "shift"),
    [("", 0), ("x" * 65, 0), ("nul \0", 0), ("too early", -3600), ("in the future", 3600)],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(tenant: Tenant, note: str, shift: int) -> None:
    run = run_of(tenant, waiting_run(tenant))
    before = rows_of(tenant)

    with pytest.raises(Invalid):
        add(tenant, run, note, occurred_at=database_now() + timedelta(seconds=shift) if shift else None)

    assert rows_of(tenant) == before


def test_an_ended_run_takes_no_more_lines(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    paid(tenant)
    drain(tenant)
    before = rows_of(tenant)

    with pytest.raises(InvalidTransition, match="The run has ended: it is completed, and nothing"):
        add(tenant, run_of(tenant, run_id))

    assert rows_of(tenant) == before


def test_another_tenants_run_is_not_found(tenant: Tenant, other_tenant: Tenant) -> None:
    run = run_of(tenant, waiting_run(tenant))

    for tenant_id, public_id in ((other_tenant.pk, run.public_id), (tenant.pk, uuid.uuid4())):
        with pytest.raises(RunNotFound):
            append_transition(tenant_id=tenant_id, public_id=public_id, note="x", cause=Cause.API)


def test_rest_adds_notes(tenant: Tenant, other_tenant: Tenant, client_of: Callable[..., Any]) -> None:
    run = run_of(tenant, waiting_run(tenant))
    rest, address = client_of(tenant), f"/v1/runs/{run.public_id}/notes"

    added = rest.post(address, {"note": "customer called", "expected_seq": run.seq})
    again = rest.post(address, {"note": "customer called", "expected_seq": run.seq})

    assert (added.status_code, added.json()) == (201, {"seq": run.seq + 1})
    assert (again.status_code, again.json()["code"]) == (409, "cursor_mismatch")
    assert again.json()["detail"] == {"expected": run.seq, "actual": run.seq + 1}
    assert rest.post(address, {"note": ""}).status_code == 400
    older = rest.post(address, {"note": "late"}, headers={"If-Match": f'"{run.seq}"'})
    assert (older.status_code, older.json()["code"]) == (412, "revision_mismatch")
    assert older.json()["detail"] == {"run": str(run.public_id), "expected": run.seq, "actual": run.seq + 1}
    when = rest.post(address, {"note": "x", "occurred_at": "2026-11-20T09:30:00"})
    assert (when.status_code, [one["code"] for one in when.json()["detail"]]) == (400, ["no_time_zone"])
    unknown = rest.post(address, {"note": "x", "expected": 1})
    assert [one["path"] for one in unknown.json()["detail"]] == ["/expected"]
    assert run_of(tenant, run.pk).seq == run.seq + 1  # of all these one was written
    assert rest.post(address, {"note": "seen"}, headers={"If-Match": added.headers["ETag"]}).status_code == 201
    assert client_of(other_tenant).post(address, {"note": "x"}).status_code == 404
