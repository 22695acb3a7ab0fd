"""Attempts of workers that are not ours: by REST and on the command line, with the guarantees of our own."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from tenants.models import OperatorAction, Tenant
from tenants.scope import tenant_scope
from tests.journeys import drain, publish, reasons_of, rows_of, run_of, start
from tests.steps.owing import attempts, claimed, key_of, make_due, owed, step_run_of
from tests.workflows.probe import Probe
from workflows.models import Attempt, StepRun
from workflows.services.control import pause_runs
from workflows.services.work import finish_work
from workflows.steps.base import Outcome
from workflows.verify import verify_trace

ROWS = (StepRun, Attempt)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TWICE = {"retry": {"max_attempts": 2, "backoff": "none", "initial": "PT10S"}}


class Hand:
    """A worker of somebody else's, at one step run."""

    def __init__(self, rest: APIClient, tenant: Tenant, run_id: int, worker: str = "print shop") -> None:
        self.rest, self.place = rest, f"/v1/runs/{run_of(tenant, run_id).public_id}/attempts"
        self.said: dict[str, Any] = {"step": "call", "visit": 1, "worker": worker}

    def begin(self, **more: Any) -> Any:
        asked = {name: value for name, value in self.said.items() if name != "fence"}
        answer = self.rest.post(self.place, asked | more)
        if answer.status_code == 201:
            self.said["fence"] = answer.json()["fence"]
        return answer

    def ask(self, verb: str, **more: Any) -> Any:
        return self.rest.post(f"{self.place}/{verb}", self.said | more)


def test_a_worker_begins_keeps_and_ends_an_attempt_and_the_run_goes_on(
    tenant: Tenant, probe: Probe, rest: APIClient
) -> None:
    run_id = owed(tenant)
    hand, other = Hand(rest, tenant, run_id), Hand(rest, tenant, run_id, "other")

    begun, refused = hand.begin().json(), other.begin()
    other.said["fence"] = begun["fence"]
    kept = hand.ask("renew", lease_seconds=3600).json()
    taken = [other.ask("renew"), other.ask("complete", outcome="delivered")]
    wrong = [hand.ask("complete", outcome="unknown"), hand.ask("complete", outcome="delivered", answer={"a": 1})]
    done = hand.ask("complete", outcome="delivered")
    late = hand.ask("renew")

    assert (begun["number"], begun["fence"], begun["step"], begun["worker"]) == (1, 1, "call", "print shop")
    assert (refused.status_code, refused.json()["code"]) == (409, "attempt_refused")
    assert datetime.fromisoformat(kept["lease_until"]) - datetime.now(UTC) > timedelta(minutes=59)
    assert {(one.status_code, one.json()["code"]) for one in taken} == {(409, "attempt_not_begun")}
    assert [one.json()["detail"][0]["path"] for one in wrong] == ["/outcome", "/answer"]
    assert (done.status_code, done.json()) == (200, {"outcome": "delivered", "retry_at": None})
    assert (late.status_code, late.json()["code"]) == (409, "stale_attempt")
    assert (run_of(tenant, run_id).state, attempts(tenant)) == ("completed", [(1, "finished", "delivered", "")])
    assert probe.ledger == []


def test_a_failure_is_followed_as_the_step_says(tenant: Tenant, probe: Probe, rest: APIClient) -> None:
    run_id = owed(tenant, TWICE)
    hand = Hand(rest, tenant, run_id)

    hand.begin()
    first = hand.ask("fail", error="paper jam", retry_after=30)
    early = hand.begin()
    second = hand.begin(early=True)
    taken = Hand(rest, tenant, run_id, "other").begin(early=True)
    last = hand.ask("fail", error="no ink", retryable=False)

    assert (first.json()["outcome"], early.status_code) == ("temporary_failure", 409)
    assert first.json()["retry_at"] > datetime.now(UTC).isoformat()
    assert (second.json()["number"], second.json()["fence"], taken.status_code) == (2, 2, 409)
    assert last.json() == {"outcome": "permanent_failure", "retry_at": None}
    assert [one[1:] for one in attempts(tenant)] == [
        ("finished", "temporary_failure", "paper jam"),
        ("finished", "permanent_failure", "no ink"),
    ]
    assert step_run_of(tenant, run_id).status == "failed"


def test_who_lost_the_lease_changes_nothing_and_the_trace_says_that_they_came(
    tenant: Tenant, probe: Probe, rest: APIClient
) -> None:
    run_id = owed(tenant)
    hand = Hand(rest, tenant, run_id)

    hand.begin()
    make_due(tenant)
    ours = claimed(tenant)
    stale = hand.ask("complete", outcome="delivered")
    finish_work(claim=ours, outcome=Outcome("delivered"))

    assert (stale.status_code, stale.json()["code"]) == (409, "stale_attempt")
    assert stale.json()["detail"]["fence"] == 2
    assert "stale_attempt" in reasons_of(tenant, run_id)
    assert [one[:3] for one in attempts(tenant)] == [(1, "lost", "unknown"), (2, "finished", "delivered")]
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def test_what_may_not_be_done_is_refused_and_writes_nothing(
    tenant: Tenant, other_tenant: Tenant, probe: Probe, rest: APIClient, client_of: Callable[..., APIClient]
) -> None:
    run_id, elsewhere = owed(tenant), owed(other_tenant)
    hand, foreign = Hand(rest, tenant, run_id), Hand(client_of(other_tenant), tenant, run_id)
    ours = claimed(tenant, "our worker")
    hand.said |= {"worker": "our worker", "fence": ours.fence}
    before = rows_of(tenant, ROWS), rows_of(other_tenant, ROWS)

    answers = [
        (hand.ask("complete", outcome="delivered"), 409, "attempt_not_begun"),
        (hand.ask("renew", fence=0), 400, "invalid"),
        (hand.ask("renew", fence=2**31), 400, "invalid"),
        (hand.ask("fail", error="x", retry_after=-1), 400, "invalid"),
        (hand.ask("fail", error="x", retry_after=1e300), 400, "invalid"),
        (hand.begin(step="other"), 404, "step_run_not_found"),
        (hand.begin(visit=2), 404, "step_run_not_found"),
        (hand.begin(compensation=True), 404, "step_run_not_found"),
        (hand.begin(worker=" "), 400, "invalid"),
        (hand.begin(lease_seconds=86_401), 400, "invalid"),
        (hand.begin(owner="x"), 400, "invalid"),
        (foreign.begin(), 404, "run_not_found"),
        (foreign.ask("renew", fence=1), 404, "run_not_found"),
        (foreign.ask("complete", fence=1, outcome="delivered"), 404, "run_not_found"),
    ]

    told = [(answer.status_code, answer.json()["code"]) for answer, _, _ in answers]
    assert told == [(status, code) for _, status, code in answers]
    assert (rows_of(tenant, ROWS), rows_of(other_tenant, ROWS)) == before
    assert attempts(tenant) == [(1, "running", "", "")]
    assert step_run_of(other_tenant, elsewhere).status == "owed"


def test_what_was_tried_elsewhere_is_recorded_once(tenant: Tenant, probe: Probe, rest: APIClient) -> None:
    run_id = owed(tenant)
    hand = Hand(rest, tenant, run_id, "old system")
    past = {"number": 1, "outcome": "temporary_failure", "error": "http 503", "retryable": True}
    times = {"started_at": NOON.isoformat(), "finished_at": NOON.isoformat()}

    told = [hand.ask("record", **past, **times) for _ in range(2)]
    gap = hand.ask("record", **(past | {"number": 3}), **times)
    backwards = hand.ask("record", **(past | {"number": 2}), **(times | {"finished_at": "2026-11-20T11:00:00Z"}))

    assert [one.status_code for one in told] == [201, 201]
    assert (told[0].json()["number"], told[0].json()["worker"]) == (1, "old system")
    assert (gap.status_code, gap.json()["code"]) == (409, "attempt_conflict")
    assert (backwards.status_code, backwards.json()["detail"][0]["path"]) == (400, "/finished_at")
    assert attempts(tenant) == [(1, "finished", "temporary_failure", "http 503")]


def test_the_command_does_the_same(tenant: Tenant, other_tenant: Tenant, probe: Probe) -> None:
    run_id = owed(tenant, TWICE)
    key = key_of(tenant, run_id)

    def steps(verb: str, *words: str, of: Tenant = tenant) -> str:
        written = io.StringIO()
        call_command("steps", verb, key, *words, "--tenant", of.slug, stdout=written)
        return written.getvalue().strip()

    by = ["--worker", "ada"]
    past = ["--started", NOON.isoformat(), "--finished", NOON.isoformat(), "--worker", "old"]
    assert steps("record", "1", "temporary_failure", *past) == f"{key}  attempt 1  temporary_failure"
    assert "attempt 2, fence 1, until" in steps("begin", *by)
    assert "fence 1" in steps("renew", "1", *by)
    with pytest.raises(CommandError, match="One of"):
        steps("complete", "1", "splendid", *by)
    with pytest.raises(CommandError, match="no attempt"):
        steps("complete", "1", "delivered", "--worker", "bob")
    with pytest.raises(CommandError, match="No such step run"):
        steps("begin", *by, of=other_tenant)
    assert steps("complete", "1", "delivered", *by) == "delivered"
    listed = steps("attempts").splitlines()
    with tenant_scope(tenant.pk):
        acts = OperatorAction.objects.order_by("id").values_list("action", "username", "object_ref")
        assert list(acts)[-1] == ("steps complete", "ada", key)

    assert [line.split("  ")[:3] for line in listed] == [
        ["1", "finished", "temporary_failure"],
        ["2", "finished", "delivered"],
    ]
    assert run_of(tenant, run_id).state == "completed"
    failing = owed(tenant)
    key = key_of(tenant, failing)
    steps("begin", *by)
    assert steps("fail", "1", "no ink", "--final", *by) == "permanent_failure"


def test_held_work_is_not_begun(tenant: Tenant, probe: Probe, rest: APIClient) -> None:
    run_id = owed(tenant)
    held = [run_of(tenant, run_id).public_id]
    pause_runs(tenant_id=tenant.pk, public_ids=held, cause="api", cause_ref="", reason="")

    answer = Hand(rest, tenant, run_id).begin()

    assert (answer.status_code, answer.json()["detail"]["held"]) == (409, True)


def test_a_step_that_only_waits_for_its_time_has_no_attempts_to_make(tenant: Tenant, rest: APIClient) -> None:
    publish(
        tenant,
        {
            "key": "paying",
            "steps": [{"key": "call", "kind": "external", "of": "transfer", "id": "data.id", "timeout": "PT1H"}],
        },
    )
    run_id = start(tenant, "paying", data={"id": "tr-1"})
    drain(tenant)

    answer = Hand(rest, tenant, run_id).begin(early=True)

    assert (answer.status_code, answer.json()["code"]) == (409, "attempt_refused")
    assert step_run_of(tenant, run_id).status == "owed"


def test_the_command_shows_a_run_with_its_steps_and_tries(
    tenant: Tenant, other_tenant: Tenant, probe: Probe, rest: APIClient
) -> None:
    run_id = owed(tenant)
    hand = Hand(rest, tenant, run_id)
    assert hand.begin().status_code == 201
    public_id = str(run_of(tenant, run_id).public_id)

    out = io.StringIO()
    call_command("runs", "show", public_id, "--tenant", tenant.slug, stdout=out)

    first, second, *rest_of = out.getvalue().splitlines()
    assert first.startswith(f"{public_id}  active  ")
    assert second == f"revision {run_of(tenant, run_id).revision}, step_owed"
    assert rest_of[-2:] == [f"{key_of(tenant, run_id)}  running  -", "  attempt 1  running  -  by hand: print shop"]
    with pytest.raises(CommandError):
        call_command("runs", "show", public_id, "--tenant", other_tenant.slug)
