"""Folding a trace gives the stored state, and tells where it does not."""

import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from chimeway_py.errors import Invalid
from tenants.models import Tenant
from tests.journeys import drain, paid, run_of, waiting_run
from tests.trace.tampering import Victim
from workflows.errors import RunNotFound
from workflows.history.check import Selection, check_runs
from workflows.history.rebuild import TraceBroken, rebuild_run, repair_run, state_at


def test_a_trace_gives_what_is_stored(tenant: Tenant) -> None:
    run = run_of(tenant, waiting_run(tenant))

    rebuilt = rebuild_run(tenant_id=tenant.pk, public_id=run.public_id)

    assert rebuilt.is_equal
    assert (rebuilt.lines, rebuilt.snapshot_seq) == (run.seq, 0)
    assert (rebuilt.state.state, rebuilt.state.step, rebuilt.state.revision) == (run.state, run.step, run.revision)


def test_the_state_at_each_line_is_told(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    paid(tenant)
    drain(tenant)
    public_id = run_of(tenant, run_id).public_id

    states = [state_at(tenant_id=tenant.pk, public_id=public_id, seq=seq).state for seq in range(1, 6)]

    assert states == ["pending", "active", "waiting", "active", "completed"]
    for seq in (0, 6):
        with pytest.raises(Invalid):
            state_at(tenant_id=tenant.pk, public_id=public_id, seq=seq)


@pytest.mark.parametrize(
    ("column", "value"),
    [("state", "waiting"), ("step", "second"), ("visits", "{}"), ("terminal_reason", "x"), ("revision", 9)],
)
def test_a_stored_state_that_was_changed_is_found_and_repaired(victim: Victim, column: str, value: Any) -> None:
    tenant_id, public_id = victim.tenant.pk, victim.run.public_id
    victim.change_run(f"{column} = %s", value)

    found = rebuild_run(tenant_id=tenant_id, public_id=public_id)
    assert [(str(fault.code), column in fault.message) for fault in found.faults] == [("wrong_state", True)]
    assert repair_run(tenant_id=tenant_id, public_id=public_id).faults == found.faults

    assert rebuild_run(tenant_id=tenant_id, public_id=public_id).is_equal
    assert list(check_runs(tenant_id=tenant_id)) == []


def test_a_run_that_is_made_to_wait_again_gets_its_clock_back(tenant: Tenant, victim: Victim) -> None:
    waits = run_of(tenant, victim.neighbour)
    victim.run_id = victim.neighbour
    victim.change_run("state = 'completed', due_at = NULL, finished_at = now()")

    repair_run(tenant_id=tenant.pk, public_id=waits.public_id)

    repaired = run_of(tenant, waits.pk)
    assert (repaired.state, repaired.due_at, repaired.finished_at) == ("waiting", waits.due_at, None)


def test_a_broken_trace_repairs_nothing(victim: Victim) -> None:
    tenant_id, public_id = victim.tenant.pk, victim.run.public_id
    victim.change_run("state = 'failed'")
    victim.delete("seq = 3")

    with pytest.raises(TraceBroken) as refusal:
        repair_run(tenant_id=tenant_id, public_id=public_id)

    assert {"seq": 3, "code": "missing_seq"} in refusal.value.detail  # type: ignore[operator]
    assert run_of(victim.tenant, victim.run_id).state == "failed"


def test_only_the_chosen_runs_are_checked(tenant: Tenant, victim: Victim) -> None:
    victim.change_run("state = 'failed'")
    seen: list[tuple[int, int]] = []

    def wrong(**which: Any) -> list[uuid.UUID]:
        found = check_runs(tenant_id=tenant.pk, which=Selection(**which), progress=lambda *now: seen.append(now))
        return [one.rebuilt.public_id for one in found]

    assert wrong() == wrong(state="failed") == wrong(run=victim.run.public_id) == [victim.run.public_id]
    assert wrong(state="waiting") == wrong(workflow="other") == []
    assert seen == [(2, 8), (1, 5), (1, 5), (1, 3), (0, 0)]


def test_another_tenants_run_is_not_found(tenant: Tenant, other_tenant: Tenant) -> None:
    public_id = run_of(tenant, waiting_run(tenant)).public_id

    for ask in (rebuild_run, repair_run):
        with pytest.raises(RunNotFound):
            ask(tenant_id=other_tenant.pk, public_id=public_id)
    with pytest.raises(RunNotFound):
        list(check_runs(tenant_id=other_tenant.pk, which=Selection(run=public_id)))


def test_rest_shows_the_rebuilt_state(tenant: Tenant, other_tenant: Tenant, client_of: Callable[..., Any]) -> None:
    run = run_of(tenant, waiting_run(tenant))
    rest = client_of(tenant)

    said = rest.get(f"/v1/runs/{run.public_id}/rebuild").json()
    then = rest.get(f"/v1/runs/{run.public_id}/state?seq=1").json()

    assert (said["equal"], said["differences"], said["state"]["state"]) == (True, [], "waiting")
    assert (then["state"], then["seq"]) == ("pending", 1)
    assert rest.get(f"/v1/runs/{run.public_id}/state?seq=99").status_code == 400
    for address in ("rebuild", "state?seq=1"):
        assert client_of(other_tenant).get(f"/v1/runs/{run.public_id}/{address}").status_code == 404


def test_checking_goes_on_beside_the_engine(tenant: Tenant, together: Callable[..., list[Any]]) -> None:
    """The run moves while it is rebuilt: one statement sees row and trace at one moment."""
    run_id = waiting_run(tenant)

    def move() -> None:
        for _ in range(20):
            paid(tenant, invoice_id="41")
            drain(tenant)

    def check() -> list[Any]:
        ends, found = time.monotonic() + 1, []
        while time.monotonic() < ends:
            found += check_runs(tenant_id=tenant.pk)
            found += rebuild_run(tenant_id=tenant.pk, public_id=run_of(tenant, run_id).public_id).faults
        return found

    assert together(move, check) == [None, []]
