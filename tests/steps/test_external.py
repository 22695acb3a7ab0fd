"""The `external` step: work of others, observed by its own id; ends are final, ids are unique, early ends count."""

from collections.abc import Callable
from functools import partial
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from rest_framework.test import APIClient

from chimeway_py.errors import Invalid
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import drain, moves_of, publish, reasons_of, rows_of, run_of, start
from tests.steps.owing import make_due, step_run_of
from tests.steps.test_http import data_now
from workflows.definitions.validate import validate
from workflows.explain import explain_run
from workflows.models import ExternalWork, Run, StepRun, Transition
from workflows.services.control import cancel_runs
from workflows.services.external import (
    ExternalWorkNotFound,
    Observed,
    find_step_by_external_id,
    observe_external,
)
from workflows.services.turn import work_turn
from workflows.services.work import claim_work
from workflows.states import Cause
from workflows.verify import verify_trace

TRANSFER: dict[str, Any] = {"key": "transfer", "kind": "external", "of": "bank_transfer", "id": "data.transfer.id"}
REST = {"key": "rest", "kind": "wait", "for": "P1D"}
TABLES = (Run, StepRun, ExternalWork, Transition)


def expecting(tenant: Tenant, step: dict[str, Any] | None = None, *more: dict[str, Any], id_: Any = "tr-1") -> int:
    """A run that waits for a transfer."""
    publish(tenant, {"key": "paying", "steps": [TRANSFER | (step or {}), *more]})
    run_id = start(tenant, "paying", data={"transfer": {"id": id_}})
    drain(tenant)
    return run_id


def observe(tenant: Tenant, status: str, external_id: str = "tr-1", **told: Any) -> Observed:
    return observe_external(tenant_id=tenant.pk, kind="bank_transfer", external_id=external_id, status=status, **told)


def test_an_end_lets_the_run_go_on_and_no_worker_was_needed(tenant: Tenant) -> None:
    run_id = expecting(tenant)
    assert (run_of(tenant, run_id).state, claim_work(tenant_id=tenant.pk, worker="w")) == ("active", None)

    seen = [observe(tenant, status).verdict for status in ("running", "running", "succeeded")]

    assert seen == ["noted", "noted", "settled"]
    assert run_of(tenant, run_id).state == "completed"
    assert (step_run_of(tenant, run_id, "transfer").status, work_turn(tenant_id=tenant.pk)) == ("succeeded", 0)
    assert list(verify_trace(tenant_id=tenant.pk)) == []


@pytest.mark.parametrize("late", ["running", "failed"])
def test_what_comes_after_an_end_never_overwrites_it(late: str, tenant: Tenant) -> None:
    run_id = expecting(tenant)
    observe(tenant, "succeeded")
    before = reasons_of(tenant, run_id)

    seen = observe(tenant, late)

    assert (seen.verdict, seen.work.status, seen.work.late_observations) == ("late", "succeeded", 1)
    assert observe(tenant, "succeeded").verdict == "repeated"
    assert reasons_of(tenant, run_id) == before


def test_a_failure_follows_its_rule(tenant: Tenant) -> None:
    run_id = expecting(tenant, {"on_outcome": {"failed": {"stop": "not_paid"}}})

    observe(tenant, "failed", error="insufficient_funds")

    assert (run_of(tenant, run_id).state, run_of(tenant, run_id).terminal_reason) == ("stopped", "not_paid")


def test_an_end_that_was_observed_early_counts_with_its_data(tenant: Tenant) -> None:
    early = observe(tenant, "succeeded", data={"ref": "b-7"})

    run_id = expecting(tenant, {"answer": "booking"})

    assert (early.verdict, run_of(tenant, run_id).state) == ("early", "completed")
    assert data_now(run_of(tenant, run_id))["booking"] == {"ref": "b-7"}


def test_the_data_of_the_end_becomes_the_answer(tenant: Tenant) -> None:
    run_id = expecting(tenant, {"answer": "booking"}, REST)

    observe(tenant, "succeeded", data={"ref": "b-7"})

    assert data_now(run_of(tenant, run_id))["booking"] == {"ref": "b-7"}
    with tenant_scope(tenant.pk):
        assert "b-7" not in str(list(Transition.objects.filter(tenant_id=tenant.pk).values_list("context")))


def test_when_its_time_is_up_the_run_goes_on_and_a_later_end_is_noted(tenant: Tenant) -> None:
    run_id = expecting(tenant, {"timeout": "PT1H", "on_outcome": {"timed_out": {"goto": "rest"}}}, REST)
    assert claim_work(tenant_id=tenant.pk, worker="early") is None

    make_due(tenant)
    work_turn(tenant_id=tenant.pk)
    assert (run_of(tenant, run_id).state, run_of(tenant, run_id).step) == ("waiting", "rest")
    seen = observe(tenant, "succeeded")

    assert (seen.verdict, reasons_of(tenant, run_id)[-1]) == ("settled", "outcome_noted")
    assert run_of(tenant, run_id).step == "rest"


def test_one_id_belongs_to_one_run(tenant: Tenant) -> None:
    first = expecting(tenant)
    rule = {"on_outcome": {"permanent_failure": {"stop": "id_taken"}}}
    second = expecting(tenant, rule)

    observe(tenant, "succeeded")

    assert (run_of(tenant, first).state, run_of(tenant, second).terminal_reason) == ("completed", "id_taken")


@pytest.mark.parametrize("id_", [None, "", {"a": 1}, "x" * 201])
def test_without_an_id_it_fails_at_once(id_: Any, tenant: Tenant) -> None:
    run_id = expecting(tenant, {"on_outcome": {"permanent_failure": {"stop": "no_id"}}}, id_=id_)

    assert run_of(tenant, run_id).terminal_reason == "no_id"
    with tenant_scope(tenant.pk):
        [mine] = StepRun.objects.filter(tenant_id=tenant.pk, run_id=run_id)
    assert (mine.status, mine.outcome) == ("failed", "permanent_failure")


def test_a_run_that_ended_is_not_moved_by_a_later_end(tenant: Tenant) -> None:
    run_id = expecting(tenant)
    run = run_of(tenant, run_id)
    cancel_runs(tenant_id=tenant.pk, public_ids=[run.public_id], cause=Cause.API, cause_ref="", reason="enough")

    seen = observe(tenant, "succeeded")

    assert (seen.work.status, run_of(tenant, run_id).state) == ("succeeded", "cancelled")
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def test_the_step_is_found_by_the_id_of_the_work(tenant: Tenant, other_tenant: Tenant) -> None:
    run_id = expecting(tenant)

    found = find_step_by_external_id(tenant_id=tenant.pk, kind="bank_transfer", external_id="tr-1")

    assert found.step_run is not None
    assert (found.run_id, found.step_run.step, found.status) == (run_id, "transfer", "expected")
    for tenant_id, external_id in ((other_tenant.pk, "tr-1"), (tenant.pk, "tr-2")):
        with pytest.raises(ExternalWorkNotFound):
            find_step_by_external_id(tenant_id=tenant_id, kind="bank_transfer", external_id=external_id)


def test_two_tenants_may_use_one_id(tenant: Tenant, other_tenant: Tenant) -> None:
    mine, theirs = expecting(tenant), expecting(other_tenant)

    observe(tenant, "succeeded")

    assert (run_of(tenant, mine).state, run_of(other_tenant, theirs).state) == ("completed", "active")


@pytest.mark.parametrize(
    "wrong", [{"status": "done"}, {"kind": "Bank"}, {"external_id": " "}, {"external_id": "a\0"}, {"error": "a\nb"}]
)
def test_what_is_refused_writes_nothing(wrong: dict[str, Any], tenant: Tenant) -> None:
    expecting(tenant)
    before = rows_of(tenant, TABLES)
    asked = {"kind": "bank_transfer", "external_id": "tr-1", "status": "succeeded"} | wrong

    with pytest.raises(Invalid):
        observe_external(tenant_id=tenant.pk, **asked)

    assert rows_of(tenant, TABLES) == before


def test_an_observation_and_the_step_that_expects_it_meet_whoever_is_first(
    tenant: Tenant, together: Callable[..., list[Any]]
) -> None:
    publish(tenant, {"key": "paying", "steps": [TRANSFER]})
    for round_ in range(20):
        external_id = f"tr-{round_}"
        run_id = start(tenant, "paying", data={"transfer": {"id": external_id}})

        answers = together(partial(drain, tenant), partial(observe, tenant, "succeeded", external_id))

        assert not [answer for answer in answers if isinstance(answer, Exception)], answers
        drain(tenant)
        assert run_of(tenant, run_id).state == "completed"


def test_an_end_and_the_end_of_the_time_at_once_have_one_winner(
    tenant: Tenant, together: Callable[..., list[Any]]
) -> None:
    publish(tenant, {"key": "paying", "steps": [TRANSFER | {"timeout": "PT1H"}]})
    for round_ in range(10):
        external_id = f"tr-{round_}"
        run_id = start(tenant, "paying", data={"transfer": {"id": external_id}})
        drain(tenant)
        make_due(tenant)

        answers = together(partial(work_turn, tenant_id=tenant.pk), partial(observe, tenant, "succeeded", external_id))

        assert not [answer for answer in answers if isinstance(answer, Exception)], answers
        assert run_of(tenant, run_id).state == "completed"
        assert reasons_of(tenant, run_id).count("step_settled") == 1
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def test_it_is_explained(tenant: Tenant) -> None:
    run_id = expecting(tenant, {"timeout": "P1D", "on_outcome": {"timed_out": {"stop": "too_late"}}})

    told = explain_run(tenant_id=tenant.pk, public_id=run_of(tenant, run_id).public_id)

    assert "it goes on when the external bank_transfer is observed to end; at " in told.sentence
    assert ("timer", {"state": "stopped", "reason": "too_late"}) in [(one.on, one.then) for one in told.next]


def test_rest_observes_and_looks_up(
    tenant: Tenant, rest: APIClient, other_tenant: Tenant, client_of: Callable[..., APIClient]
) -> None:
    run_id = expecting(tenant, None, REST, id_="tr/1")
    url = "/v1/external/bank_transfer/tr/1"

    running, ended, late = (rest.post(url, {"status": status}) for status in ("running", "succeeded", "running"))

    assert [one.json()["verdict"] for one in (running, ended, late)] == ["noted", "settled", "late"]
    assert rest.get(url).json()["run_id"] == str(run_of(tenant, run_id).public_id)
    assert (rest.get(url).json()["status"], rest.get(url).json()["step"]) == ("succeeded", "transfer")
    assert client_of(other_tenant).get(url).json()["code"] == "external_work_not_found"
    assert rest.post(url, {"status": "done"}).status_code == 400
    assert rest.post(url, {"state": "running"}).status_code == 400


def test_rest_lists_it(
    tenant: Tenant, rest: APIClient, other_tenant: Tenant, client_of: Callable[..., APIClient]
) -> None:
    expecting(tenant)
    observe(tenant, "failed", "tr-2")

    def listed(query: str = "") -> list[str]:
        return [one["external_id"] for one in rest.get(f"/v1/external{query}").json()["items"]]

    assert (listed(), listed("?status=failed"), listed("?kind=other")) == (["tr-2", "tr-1"], ["tr-2"], [])
    assert client_of(other_tenant).get("/v1/external").json()["items"] == []
    for query in ("?status=done", "?state=failed", "?limit=-1"):
        refused = rest.get(f"/v1/external{query}")
        assert (refused.status_code, refused.json()["detail"][0]["path"]) == (400, f"/{query[1:].split('=')[0]}")


def test_the_command_lists_shows_and_observes(tenant: Tenant, other_tenant: Tenant) -> None:
    run_id = expecting(tenant)

    def manage(*arguments: str, whose: Tenant = tenant) -> str:
        written = StringIO()
        call_command("external", *arguments, "--tenant", whose.slug, stdout=written)
        return written.getvalue()

    waits = f"{run_of(tenant, run_id).public_id} transfer"
    assert manage("list", "--kind", "bank_transfer") == f"bank_transfer tr-1  expected  {waits}\n"
    assert manage("list", "--status", "failed") == manage("list", whose=other_tenant) == ""
    told = manage("observe", "bank_transfer", "tr-1", "failed", "--error", "rejected", "--by", "ada")
    assert told == f"settled: bank_transfer tr-1  failed  {waits}\n"
    assert "error     rejected" in manage("show", "bank_transfer", "tr-1")
    assert "operator" in {cause for _, _, cause, _ in moves_of(tenant, run_id)}
    with pytest.raises(CommandError, match="No external work"):
        manage("show", "bank_transfer", "tr-1", whose=other_tenant)
    with pytest.raises(CommandError, match="JSON object"):
        manage("observe", "bank_transfer", "tr-9", "failed", "--data", "[]")


def test_faults_have_their_places() -> None:
    step = TRANSFER | {"id": "signal.x", "timeout": "PT0.5S"}

    found = [(one["path"], one["code"]) for one in validate({"key": "paying", "steps": [step]})]

    assert found == [("/steps/0/id", "path"), ("/steps/0/timeout", "duration")]
