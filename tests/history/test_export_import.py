"""A run travels whole, and its trace proves itself where it arrives."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import GRACE, drain, moves_of, paid, publish, rows_of, run_of, send, start, waiting_run
from tests.workflows.probe import Probe
from workflows.errors import RunNotFound
from workflows.history.append import append_transition
from workflows.history.export_file import BadExport
from workflows.history.exporting import export_run
from workflows.history.import_rows import ImportRefused
from workflows.history.importing import import_run
from workflows.history.rebuild import TraceBroken, rebuild_run
from workflows.models import Attempt, Definition, Run, SignalVerdict, StepRun, Wait
from workflows.services.turn import work_turn
from workflows.states import Cause
from workflows.verify import verify_trace

WORK = {
    "key": "work",
    "correlation": ["invoice_id"],
    "steps": [{"key": "go", "kind": "probe"}, GRACE["steps"][0] | {"key": "rest"}],
}
EARLY = GRACE | {"key": "early"}


def lines_of(tenant: Tenant, run: Run, **how: Any) -> list[str]:
    with tenant_scope(tenant.pk):
        return list(export_run(tenant_id=tenant.pk, public_id=run.public_id, **how))


def ended_run(tenant: Tenant) -> Run:
    run_id = waiting_run(tenant, data={"amount": 12})
    paid(tenant, data={"by": "card"})
    drain(tenant)
    return run_of(tenant, run_id)


def arrived(tenant: Tenant, run: Run) -> Run:
    with tenant_scope(tenant.pk):
        return Run.objects.for_tenant(tenant.pk).get(public_id=run.public_id)


def changed(lines: list[str], **change: Callable[[dict[str, Any]], None]) -> list[str]:
    """The export with its entries changed by kind, and an end that vouches for them all the same."""
    import hashlib

    entries = [json.loads(line) for line in lines[:-1]]
    for entry in entries:
        change.get(entry["kind"], lambda entry: None)(entry)
    body = [json.dumps(entry) + "\n" for entry in entries]
    digest = hashlib.sha256("".join(body).encode()).hexdigest()
    return [*body, json.dumps({"kind": "end", "lines": len(body), "sha256": digest})]


def test_a_run_arrives_whole_and_its_trace_proves_itself(tenant: Tenant, other_tenant: Tenant) -> None:
    run = ended_run(tenant)
    sizes = rows_of(tenant)

    imported = import_run(tenant_id=other_tenant.pk, lines=lines_of(tenant, run))

    assert (imported.public_id, imported.created, imported.transitions) == (run.public_id, True, run.seq)
    assert rows_of(other_tenant) == sizes
    there = arrived(other_tenant, run)
    assert (there.chain_head, there.origins) == (run.chain_head, [[tenant.pk, run.seq]])
    assert moves_of(other_tenant, there.pk) == moves_of(tenant, run.pk)
    assert list(verify_trace(tenant_id=other_tenant.pk)) == []
    assert rebuild_run(tenant_id=other_tenant.pk, public_id=run.public_id).is_equal


def test_importing_it_again_changes_nothing(tenant: Tenant, other_tenant: Tenant) -> None:
    lines = lines_of(tenant, ended_run(tenant))
    import_run(tenant_id=other_tenant.pk, lines=lines)
    before = rows_of(other_tenant)

    assert not import_run(tenant_id=other_tenant.pk, lines=lines).created
    assert not import_run(tenant_id=tenant.pk, lines=lines).created
    assert rows_of(other_tenant) == before


def test_the_work_comes_along(tenant: Tenant, other_tenant: Tenant, probe: Probe) -> None:
    publish(tenant, WORK)
    run_id = start(tenant, "work")
    drain(tenant)
    work_turn(tenant_id=tenant.pk)
    drain(tenant)
    run = run_of(tenant, run_id)

    import_run(tenant_id=other_tenant.pk, lines=lines_of(tenant, run, payloads=True), live=True)

    with tenant_scope(other_tenant.pk):
        (attempt,) = Attempt.objects.filter(tenant_id=other_tenant.pk).select_related("step_run")
        assert (attempt.number, attempt.outcome, attempt.step_run.status) == (1, "delivered", "succeeded")
        assert attempt.step_run.run_id == arrived(other_tenant, run).pk
    assert rows_of(other_tenant, (StepRun, Attempt, Wait)) == rows_of(tenant, (StepRun, Attempt, Wait))


def test_a_live_run_goes_on_where_it_arrives(tenant: Tenant, other_tenant: Tenant) -> None:
    publish(tenant, EARLY)
    run_id = start(tenant, "early", correlation={"invoice_id": "42"}, data={"amount": 12})
    drain(tenant)
    send(tenant, "invoice.disputed", correlation={"invoice_id": "42"}, data={"why": "late"})
    drain(tenant)
    run = run_of(tenant, run_id)
    assert run.pending_signals == 1
    lines = lines_of(tenant, run, payloads=True)

    with pytest.raises(ImportRefused, match="would go on here"):
        import_run(tenant_id=other_tenant.pk, lines=lines)
    assert rows_of(other_tenant) == [0, 0, 0, 0]
    import_run(tenant_id=other_tenant.pk, lines=lines, live=True)
    seq = append_transition(tenant_id=other_tenant.pk, public_id=run.public_id, note="moved", cause=Cause.OPERATOR)
    paid(other_tenant)
    drain(other_tenant)

    there = arrived(other_tenant, run)
    assert (seq, there.state) == (run.seq + 1, "completed")
    assert list(verify_trace(tenant_id=other_tenant.pk)) == []


def test_it_may_travel_on_and_come_home(tenant: Tenant, other_tenant: Tenant, new_tenant: Callable[[], Tenant]) -> None:
    publish(tenant, EARLY)
    run_id = start(tenant, "early", data={}, correlation={"invoice_id": "42"})
    drain(tenant)
    run, third = run_of(tenant, run_id), new_tenant()

    import_run(tenant_id=other_tenant.pk, lines=lines_of(tenant, run), live=True)
    append_transition(tenant_id=other_tenant.pk, public_id=run.public_id, note="moved", cause=Cause.OPERATOR)
    import_run(tenant_id=third.pk, lines=lines_of(other_tenant, run), live=True)
    append_transition(tenant_id=third.pk, public_id=run.public_id, note="moved on", cause=Cause.OPERATOR)

    assert arrived(third, run).origins == [[tenant.pk, run.seq], [other_tenant.pk, run.seq + 1]]
    assert list(verify_trace(tenant_id=third.pk)) == []
    with pytest.raises(ImportRefused, match="its trace is another"):
        import_run(tenant_id=tenant.pk, lines=lines_of(third, run), live=True)


def test_what_is_imported_starts_nothing(tenant: Tenant, other_tenant: Tenant) -> None:
    document = {**GRACE, "correlation": [], "start_on": {"signal": "order.placed", "subject": "data.who"}}
    document["steps"] = [{"key": "rest", "kind": "wait", "for": "PT1H"}]
    publish(tenant, document)
    send(tenant, "order.placed", data={"who": "ada"})
    drain(tenant)
    with tenant_scope(tenant.pk):
        run = Run.objects.for_tenant(tenant.pk).get()

    import_run(tenant_id=other_tenant.pk, lines=lines_of(tenant, run, payloads=True), live=True)
    send(other_tenant, "order.placed", data={"who": "bob"})
    drain(other_tenant)

    assert rows_of(other_tenant, (Run, Definition, SignalVerdict)) == [1, 1, 1]
    with tenant_scope(other_tenant.pk):
        assert Definition.objects.get(tenant_id=other_tenant.pk).status == "retired"


def test_payload_values_come_only_when_they_are_asked_for(tenant: Tenant) -> None:
    run_id = waiting_run(tenant, data={"card": "canary-of-a-card-4929"})
    run = run_of(tenant, run_id)

    assert "canary-of-a-card-4929" not in "".join(lines_of(tenant, run))
    assert "canary-of-a-card-4929" in "".join(lines_of(tenant, run, payloads=True))


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("transition", lambda entry: entry["row"].update(reason="woken")),
        ("transition", lambda entry: entry["row"].update(occurred_at="2020-01-01T00:00:00+00:00")),
        ("run", lambda entry: entry["row"].update(state="failed")),
        ("run", lambda entry: entry["row"].update(seq=4)),
        ("export", lambda entry: entry.update(tenant_number=entry["tenant_number"] + 1)),
    ],
)
def test_a_trace_that_does_not_prove_itself_is_refused(
    tenant: Tenant, other_tenant: Tenant, kind: str, change: Callable[[Any], None]
) -> None:
    lines = changed(lines_of(tenant, ended_run(tenant)), **{kind: change})

    with pytest.raises(TraceBroken):
        import_run(tenant_id=other_tenant.pk, lines=lines)
    assert rows_of(other_tenant) == [0, 0, 0, 0]


def test_what_is_not_a_whole_export_is_refused(tenant: Tenant, other_tenant: Tenant) -> None:
    lines = lines_of(tenant, ended_run(tenant))

    for wrong in (
        [],
        lines[:-1],
        lines[1:],
        [*lines[:3], *lines[4:]],
        [*lines, lines[-1]],
        ["{", *lines],
        ["[]"],
        [lines[0].replace('"format":1', '"format":99'), *lines[1:]],
        changed(lines, run=lambda entry: entry["row"].pop("subject")),
        changed(lines, run=lambda entry: entry["row"].update(chain_head="xyz")),
        changed(lines, export=lambda entry: entry.update(run="0" * 32)),
    ):
        with pytest.raises(BadExport):
            import_run(tenant_id=other_tenant.pk, lines=wrong)
    assert rows_of(other_tenant) == [0, 0, 0, 0]


def test_owed_work_and_missing_payloads_keep_a_live_run_home(
    tenant: Tenant, other_tenant: Tenant, probe: Probe
) -> None:
    publish(tenant, WORK)
    owing = run_of(tenant, start(tenant, "work"))
    waiting = run_of(tenant, waiting_run(tenant, data={"amount": 1}))
    drain(tenant)

    for run, why in ((owing, "owed or in flight"), (waiting, "payloads are not in the export")):
        with pytest.raises(ImportRefused, match=why):
            import_run(tenant_id=other_tenant.pk, lines=lines_of(tenant, run), live=True)
    assert rows_of(other_tenant) == [0, 0, 0, 0]


def test_a_name_that_is_taken_is_refused(tenant: Tenant, other_tenant: Tenant) -> None:
    run = ended_run(tenant)
    with tenant_scope(tenant.pk):
        external_id = SignalVerdict.objects.get(tenant_id=tenant.pk).signal.external_id
    send(other_tenant, "invoice.paid", external_id=external_id)

    with pytest.raises(ImportRefused, match="Another signal"):
        import_run(tenant_id=other_tenant.pk, lines=lines_of(tenant, run))
    assert rows_of(other_tenant) == [0, 0, 0, 0]


def test_another_tenants_run_is_not_exported(
    tenant: Tenant, other_tenant: Tenant, client_of: Callable[..., Any]
) -> None:
    run = ended_run(tenant)

    with pytest.raises(RunNotFound):
        lines_of(other_tenant, run)
    assert client_of(other_tenant).get(f"/v1/runs/{run.public_id}/export").status_code == 404


def test_rest_answers_with_the_lines(tenant: Tenant, other_tenant: Tenant, rest: Any) -> None:
    run = ended_run(tenant)

    answer = rest.get(f"/v1/runs/{run.public_id}/export")
    lines = b"".join(answer.streaming_content).decode().splitlines(keepends=True)

    assert answer["Content-Type"] == "application/x-ndjson"
    assert json.loads(lines[0])["payloads"] is False
    assert import_run(tenant_id=other_tenant.pk, lines=lines).created


def test_the_commands_write_and_read_files(tenant: Tenant, other_tenant: Tenant, tmp_path: Path) -> None:
    runs = [ended_run(tenant), run_of(tenant, waiting_run(tenant, data={}, subject="bob"))]
    file = tmp_path / "runs.jsonl"

    def manage(verb: str, *arguments: Any, of: Tenant) -> str:
        written = StringIO()
        call_command("runs", verb, *map(str, arguments), "--tenant", of.slug, stdout=written)
        return written.getvalue()

    manage("export", *[run.public_id for run in runs], "--out", file, of=tenant)
    with pytest.raises(CommandError, match="would go on here"):
        manage("import", file, of=other_tenant)
    told = manage("import", file, "--live", of=other_tenant)

    assert told == (
        f"{runs[0].public_id}  is here already, {runs[0].seq} transitions\n"
        f"{runs[1].public_id}  imported, {runs[1].seq} transitions\n"
    )
