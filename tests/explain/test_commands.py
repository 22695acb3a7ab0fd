"""The command line says what REST says."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tenants.models import Tenant
from tests.journeys import GRACE, drain, paid, publish, reasons_of, run_of, waiting_run
from workflows.explain import explain_run


def output(*arguments: Any, tenant: Tenant) -> str:
    """What a command writes for a tenant."""
    written = StringIO()
    call_command(*map(str, arguments), "--tenant", tenant.slug, stdout=written, stderr=StringIO())
    return written.getvalue()


def test_explain_opens_with_the_sentence(tenant: Tenant) -> None:
    public_id = run_of(tenant, waiting_run(tenant)).public_id

    lines = output("explain", public_id, tenant=tenant).splitlines()

    assert lines[0] == explain_run(tenant_id=tenant.pk, public_id=public_id).sentence
    assert f"  run          {public_id} of dunning v1 for ada" in lines
    assert "  action       wake" in lines
    assert any(line.startswith("  next         signal invoice.paid: state completed") for line in lines)


def test_explain_as_json_is_what_rest_answers(tenant: Tenant, rest: Any) -> None:
    public_id = run_of(tenant, waiting_run(tenant)).public_id

    said = json.loads(output("explain", public_id, "--json", tenant=tenant))
    answered = rest.get(f"/v1/runs/{public_id}/explain").json()

    assert said | {"as_of": ""} == answered | {"as_of": ""}


def test_explain_a_signal(tenant: Tenant) -> None:
    waiting_run(tenant)
    receipt = paid(tenant)
    drain(tenant)

    said = output("explain", receipt.public_id, "--signal", tenant=tenant)

    assert said.startswith("It ended a wait (1 run concerned).\n")
    assert "It ended the wait “grace”." in said


def test_trace_prints_a_line_for_every_transition(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    public_id = run_of(tenant, run_id).public_id

    table = output("trace", public_id, tenant=tenant).splitlines()
    rows = [
        json.loads(line) for line in output("trace", public_id, "--json", "--after", "1", tenant=tenant).splitlines()
    ]

    assert len(table) == 1 + 3
    assert [row["seq"] for row in rows] == [2, 3]
    assert [row["reason"] for row in rows] == reasons_of(tenant, run_id)[1:]


def test_runs_are_started_listed_and_ended(tenant: Tenant) -> None:
    publish(tenant, GRACE)

    started = output("runs", "start", "dunning", "ada", "bob", "--correlation", "invoice_id=42", tenant=tenant).split()
    drain(tenant)
    listed = output("runs", "list", "--waiting-on", "invoice.paid", "--subject", "bob", tenant=tenant)
    woken = output("runs", "wake", started[0], "--reason", "test", tenant=tenant)
    ended = output("runs", "cancel", *started, "--reason", "test", "--by", "grace", tenant=tenant)
    again = StringIO()
    with pytest.raises(CommandError, match="Nothing was done"):
        call_command("runs", "cancel", started[0], "--reason", "test", "--tenant", tenant.slug, stdout=again)
    rest = output("runs", "list", "--after", started[1], "--correlation", "invoice_id=42", tenant=tenant)

    assert [line.split()[:2] for line in rest.splitlines()] == [[started[0], "cancelled"]]
    assert listed == f"{started[1]}  waiting    dunning  grace  bob\n"
    assert woken == f"{started[0]}  moved, waiting\n"  # on to the second wait
    assert ended == "".join(f"{one}  moved, cancelled\n" for one in started)
    assert again.getvalue() == f"{started[0]}  refused, cancelled (The run has ended: it is cancelled.)\n"


def test_a_start_is_asked_for_once_and_for_later(tenant: Tenant) -> None:
    publish(tenant, GRACE)
    ask = ("runs", "start", "dunning", "ada", "--idempotency-key", "once", "--at", "2100-01-01T09:00:00+01:00")

    public_id = output(*ask, tenant=tenant).strip()
    again = output(*ask, tenant=tenant)
    skipped = output(*ask, "--on-duplicate", "skip", tenant=tenant)
    with pytest.raises(CommandError, match="another request"):
        output(*ask, "--data", '{"other": 1}', tenant=tenant)
    with pytest.raises(CommandError, match="No published definition"):
        output("runs", "start", "dunning", "bob", "--version", "2", tenant=tenant)
    for wrong in (("start", "dunning", "bob", "--data", "[1]"), ("list", "--limit", "-1")):
        with pytest.raises(CommandError):
            output("runs", *wrong, tenant=tenant)
    late = output("runs", "list", "--due-before", "2100-01-01T08:00:01Z", tenant=tenant)
    soon = output("runs", "list", "--due-before", "2100-01-01T08:00:00Z", tenant=tenant)

    assert (again, skipped) == (f"{public_id}  is here already\n", f"{public_id}  skipped\n")
    assert (late, soon) == (f"{public_id}  pending    dunning  -  ada\n", "")


def test_a_control_is_for_the_revision_that_was_seen(tenant: Tenant) -> None:
    run = run_of(tenant, waiting_run(tenant))
    ask = ("runs", "pause", run.public_id, "--reason", "test", "--revision")

    with pytest.raises(CommandError, match=f'"expected": {run.revision - 1}, "actual": {run.revision}'):
        output(*ask, run.revision - 1, tenant=tenant)
    with pytest.raises(CommandError, match="/revision"):
        output(*ask[:2], run.public_id, *ask[2:], run.revision, tenant=tenant)
    assert run_of(tenant, run.pk).revision == run.revision  # nothing was written
    assert output(*ask, run.revision, tenant=tenant) == f"{run.public_id}  moved, paused\n"


@pytest.mark.parametrize("command", ["explain", "trace", "verify_trace", "runs"])
def test_what_another_tenant_has_is_not_there(tenant: Tenant, other_tenant: Tenant, command: str) -> None:
    run_id = waiting_run(tenant)
    public_id = str(run_of(tenant, run_id).public_id)
    arguments = {"verify_trace": ["--run", public_id], "runs": ["cancel", public_id, "--reason", "no"]}

    with pytest.raises(CommandError, match="No such run"):
        output(command, *arguments.get(command, [public_id]), tenant=other_tenant)

    assert run_of(tenant, run_id).state == "waiting"


def test_what_is_wrong_is_said(tenant: Tenant) -> None:
    public_id = run_of(tenant, waiting_run(tenant)).public_id

    with pytest.raises(CommandError, match="/limit: A whole number from 0 to 1000"):
        output("trace", public_id, "--limit", "1001", tenant=tenant)
    with pytest.raises(CommandError, match="not an id such as"):
        output("explain", "42", tenant=tenant)
    with pytest.raises(CommandError, match="No tenant nobody"):
        call_command("verify_trace", "--tenant", "nobody")
