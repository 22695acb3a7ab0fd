"""Proving traces: whatever a superuser changes behind our back is named, with its run and seq."""

import random
import threading
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from psycopg.types.json import Jsonb

from chimeway_py.embedded.postgres import Postgres
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tenants.services import tenant_list
from tenants.sql import execute
from tests.journeys import GRACE, drain, publish, run_of, send, waiting_run
from tests.trace.tampering import Found, Victim
from workflows import verify
from workflows.errors import RunNotFound
from workflows.inspection import FaultCode
from workflows.services.start import NewRun, start_runs
from workflows.verify import verify_trace


@pytest.fixture
def victim(tenant: Tenant, postgres: Postgres) -> Victim:
    """A run that went from nothing to completed in five lines."""
    return Victim(tenant, postgres)


def test_an_honest_tenant_is_intact(victim: Victim) -> None:
    assert victim.faults() == []


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("step", "second"),
        ("visit", 2),
        ("delivery", "01939f3a-7c1e-7b1a-9d5e-0b6a3c2f4d10"),
        ("cause", "operator"),
        ("cause_ref", "somebody else"),
        ("reason", "woken"),
        ("context", Jsonb({"signal": "invoice.forgiven"})),
        ("occurred_at", "2020-01-01T00:00:00Z"),
    ],
)
@pytest.mark.parametrize("seq", [1, 3, 5])
def test_a_changed_line_is_named(victim: Victim, seq: int, assignment: str, value: Any) -> None:
    victim.change(seq, f"{assignment} = %s", value)

    assert (seq, FaultCode.WRONG_CONTENT) in victim.faults()
    assert {found for found, _ in victim.faults()} <= {seq, 5}  # 5: what is folded from it may differ from the run, too


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (lambda one: one.change(3, "hash = %s", b"\1" * 32), [(3, "wrong_hash")]),
        (lambda one: one.change(5, "hash = %s", b"\1" * 32), [(5, "wrong_hash")]),
        (lambda one: one.change(3, "prev_hash = %s", b"\1" * 32), [(3, "wrong_prev_hash")]),
        (lambda one: one.change(1, "prev_hash = %s", b"\1" * 32), [(1, "wrong_prev_hash")]),
        (lambda one: one.delete("seq = 1"), [(1, "missing_seq")]),
        (lambda one: one.delete("seq = 3"), [(3, "missing_seq")]),
        (lambda one: one.delete("seq IN (2, 4)"), [(2, "missing_seq"), (4, "missing_seq")]),
        (lambda one: one.delete("seq = 5"), [(5, "cut_tail")]),
        (lambda one: one.delete("seq > 2"), [(3, "cut_tail")]),
        (lambda one: one.delete("seq IN (3, 5)"), [(3, "missing_seq"), (5, "cut_tail")]),
        (lambda one: one.delete("true"), [(1, "no_trace")]),
        (lambda one: one.change_run("state = 'stopped'"), [(5, "wrong_state")]),
        (lambda one: one.change_run("step = 'second'"), [(5, "wrong_state")]),
        (lambda one: one.change_run("terminal_reason = 'paid'"), [(5, "wrong_state")]),
        (lambda one: one.change_run("status_context = '{}'"), [(5, "wrong_state")]),
        (lambda one: one.change_run("visits = '{}'"), [(5, "wrong_state")]),
        (lambda one: one.change_run("revision = 9"), [(5, "wrong_state")]),
        (lambda one: one.change_run("chain_head = %s", b"\1" * 32), [(5, "wrong_chain_head")]),
        (lambda one: one.change_run("seq = 7"), [(6, "cut_tail")]),
        (lambda one: one.change_run("seq = 4"), [(5, "added_tail"), (5, "wrong_state")]),
    ],
)
def test_each_kind_of_tampering_is_named(victim: Victim, tamper: Callable[[Victim], None], expected: Found) -> None:
    tamper(victim)

    assert victim.faults() == expected


def test_a_line_that_was_rewritten_with_its_hash_is_named(victim: Victim) -> None:
    victim.change(3, "cause_ref = 'forged'")
    victim.rehash(3, 3)

    assert victim.faults() == [(3, "rewritten")]


def test_rewriting_everything_after_it_does_not_help(victim: Victim) -> None:
    victim.change(3, "cause_ref = 'forged'")
    victim.rehash(3, 5)

    assert victim.faults() == [(5, "wrong_chain_head")]


def test_a_forger_who_rewrites_the_chain_head_too_must_still_make_a_legal_journey(victim: Victim) -> None:
    victim.change(5, "from_state = 'waiting'")
    victim.change(4, "to_state = 'stopped'")
    victim.rehash(4, 5)
    victim.change_run("chain_head = %s", victim.value(5, "hash"))

    assert victim.faults() == [(5, "illegal_move")]


def test_lines_that_changed_places_are_named(victim: Victim) -> None:
    with victim.unguarded() as sql:
        for old, new in ((3, 99), (4, 3), (99, 4)):
            sql("UPDATE workflows_transition SET seq = %s WHERE run_id = %s AND seq = %s", [new, victim.run_id, old])

    assert {seq for seq, _ in victim.faults()} >= {3, 4}


def test_a_line_that_was_added_is_named(victim: Victim) -> None:
    victim.add_line()

    assert victim.faults()[:2] == [(6, "illegal_move"), (6, "added_tail")]


def test_a_trace_whose_run_is_gone_is_told(victim: Victim) -> None:
    with victim.unguarded() as sql:
        sql("DELETE FROM workflows_run WHERE id = %s", [victim.run_id])

    (fault,) = verify_trace(tenant_id=victim.tenant.pk)

    assert (fault.run, fault.code) == (f"row {victim.run_id}", "run_missing")


def test_any_random_change_is_found(victim: Victim) -> None:
    chance = random.Random(7)
    values: dict[str, list[Any]] = {
        "step": ["", "grace", "second"],
        "visit": [0, 1, 2],
        "cause": ["api", "signal", "step"],
        "cause_ref": ["", "x"],
        "reason": ["woken", "created", "signal_matched"],
        "to_state": ["active", "waiting", "completed"],
        "prev_hash": [bytes(32), b"\2" * 32],
        "hash": [bytes(32), b"\2" * 32],
    }
    for _ in range(60):
        seq, name = chance.randint(1, 5), chance.choice(list(values))
        old = victim.value(seq, name)
        new = chance.choice([value for value in values[name] if value != old])

        victim.change(seq, f"{name} = %s", new)
        assert seq in {found for found, _ in victim.faults()}, (seq, name, old, new)
        victim.change(seq, f"{name} = %s", old)
    assert victim.faults() == []


def test_tenants_are_verified_apart(victim: Victim, other_tenant: Tenant) -> None:
    waiting_run(other_tenant)
    victim.delete("seq = 3")

    assert list(verify_trace(tenant_id=other_tenant.pk)) == []
    with pytest.raises(RunNotFound):
        verify_trace(tenant_id=other_tenant.pk, public_id=victim.run.public_id)


def test_many_runs_are_read_in_batches(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tenant, GRACE)
    start_runs(tenant_id=tenant.pk, definition_key="dunning", runs=[NewRun(f"s{n}") for n in range(25)])
    monkeypatch.setattr(verify, "RUNS", 10)
    told: list[tuple[int, int]] = []

    assert list(verify_trace(tenant_id=tenant.pk, progress=lambda *totals: told.append(totals))) == []

    assert told == [(10, 10), (20, 20), (25, 25)]


def test_verifying_while_the_engine_works_finds_nothing(tenant: Tenant, together: Callable[..., list[Any]]) -> None:
    run_ids = [waiting_run(tenant, correlation={"invoice_id": str(n)}) for n in range(5)]
    done = threading.Event()

    def work() -> None:
        for n in range(30):
            send(tenant, "invoice.disputed", correlation={"invoice_id": str(n % 5)})
            drain(tenant)
        done.set()

    def watch() -> Found:
        found: Found = []
        while not done.is_set():
            found += [(fault.seq, fault.message) for fault in verify_trace(tenant_id=tenant.pk)]
        return found

    assert together(work, watch) == [None, []]
    assert sum(run_of(tenant, run_id).pending_signals for run_id in run_ids) == 30


def test_the_command_names_run_and_seq_and_exits_with_1(victim: Victim) -> None:
    arguments = ["verify_trace", "--tenant", victim.tenant.slug]
    written = StringIO()
    call_command(*arguments, "--all", stdout=written, stderr=StringIO())
    assert written.getvalue() == f"Intact: 2 runs and 8 transitions of {victim.tenant.slug}.\n"

    victim.change(3, "cause_ref = 'forged'")
    written, progress = StringIO(), StringIO()
    with pytest.raises(CommandError, match="1 fault in 1 run and 5 transitions") as failed:
        call_command(*arguments, "--run", str(victim.run.public_id), stdout=written, stderr=progress)

    assert failed.value.returncode == 1
    assert written.getvalue().startswith(f"{victim.tenant.slug}: run {victim.run.public_id} seq 3: wrong_content.")
    assert "1 runs, 5 transitions" in progress.getvalue()
    assert progress.getvalue().endswith("\r\n")  # what comes next does not share its line


def test_without_a_tenant_the_command_covers_all_of_them(
    victim: Victim, other_tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = tenant_list()
    assert {(victim.tenant.pk, victim.tenant.slug), (other_tenant.pk, other_tenant.slug)} <= set(every)
    ours = [one for one in every if one[0] in (victim.tenant.pk, other_tenant.pk)]  # others' tests tamper, too
    monkeypatch.setattr("workflows.management.commands.verify_trace.tenant_list", lambda: ours)

    written = StringIO()
    call_command("verify_trace", stdout=written, stderr=StringIO())
    assert f"Intact: 2 runs and 8 transitions of {victim.tenant.slug}.\n" in written.getvalue()
    assert f"Intact: 0 runs and 0 transitions of {other_tenant.slug}.\n" in written.getvalue()
    assert written.getvalue().endswith("Intact: 2 tenants.\n")

    victim.change(3, "cause_ref = 'forged'")
    written = StringIO()
    with pytest.raises(CommandError, match=f"1 fault in 2 runs and 8 transitions of {victim.tenant.slug}") as failed:
        call_command("verify_trace", stdout=written, stderr=StringIO())

    assert failed.value.returncode == 1
    assert f"run {victim.run.public_id} seq 3" in written.getvalue()
    assert f"of {other_tenant.slug}.\n" in written.getvalue(), "a fault of one does not end the tour"


@pytest.mark.parametrize(
    "said", ['{"x": 1}', "null", "[[1]]", "[1]", '[["1", 2]]', "[[1, 2.5]]", "[[7, 4], [8, 3]]", "[[7, 99]]"]
)
def test_origins_that_no_import_writes_are_named(victim: Victim, said: str) -> None:
    with tenant_scope(victim.tenant.pk):
        execute("UPDATE workflows_run SET origins = %s::jsonb WHERE id = %s", [said, victim.run.pk])

    assert "wrong_row" in {fault.code for fault in verify_trace(tenant_id=victim.tenant.pk)}


def test_who_says_to_be_brought_in_by_himself_is_judged_like_others(victim: Victim) -> None:
    """The row may be changed by the service's own role; what its lines are hashed under may not."""
    with tenant_scope(victim.tenant.pk):
        own = f"[[{victim.tenant.pk}, {victim.run.seq}]]"
        changed = "origins = %s::jsonb, definition_key = 'forged'"
        execute(f"UPDATE workflows_run SET {changed} WHERE id = %s", [own, victim.run.pk])  # noqa: S608

    found = [(fault.run, fault.code) for fault in verify_trace(tenant_id=victim.tenant.pk)]
    assert (str(victim.run.public_id), "wrong_row") in found


def test_a_run_that_names_another_definition_of_the_same_version_is_named(victim: Victim) -> None:
    publish(victim.tenant, GRACE | {"key": "another"})
    with tenant_scope(victim.tenant.pk):
        other = "SELECT id FROM workflows_definition WHERE key = 'another' AND version = 1"
        execute(f"UPDATE workflows_run SET definition_id = ({other}) WHERE id = %s", [victim.run.pk])  # noqa: S608

    [(run, code)] = [(fault.run, fault.code) for fault in verify_trace(tenant_id=victim.tenant.pk)]
    assert (run, code) == (str(victim.run.public_id), "wrong_row")


def test_a_run_without_its_tenant_is_refused(victim: Victim) -> None:
    with pytest.raises(CommandError, match="--run needs --tenant"):
        call_command("verify_trace", "--run", str(victim.run.public_id))
