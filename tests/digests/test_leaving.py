"""Who leads when the first cannot: a run that ends takes its own item along, and nobody else's."""

from collections.abc import Callable
from typing import Any

import pytest

from tenants.models import Tenant
from tests.digests.collecting import HOUR, REST, bring, close_all, collected_by, collecting, digests_of, items_of
from tests.journeys import drain, publish, reasons_of, run_of
from workflows.explain import explain_run
from workflows.services.advance import advance_due
from workflows.services.control import ControlVerdict, cancel_runs, pause_runs, resume_runs
from workflows.services.switches import switch_definition
from workflows.states import Cause
from workflows.verify import verify_trace


def control(tenant: Tenant, verb: Callable[..., list[ControlVerdict]], *run_ids: int) -> list[ControlVerdict]:
    ids = [run_of(tenant, run_id).public_id for run_id in run_ids]
    return verb(tenant_id=tenant.pk, public_ids=ids, cause=Cause.API, cause_ref="", reason="a test")


def test_the_next_leads_when_the_leader_is_cancelled(tenant: Tenant) -> None:
    collecting(tenant)
    first, second, third = bring(tenant, 1, 2, 3)

    control(tenant, cancel_runs, first)
    [digest] = digests_of(tenant)
    assert (digest.count, items_of(tenant, digest)[0][2]) == (2, "run_ended")
    close_all(tenant)

    assert collected_by(tenant, second)["items"] == [{"n": 2}, {"n": 3}]
    assert (collected_by(tenant, first), run_of(tenant, third).status_reason) == (None, "digested")
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def test_a_deadline_takes_only_its_own_item_along(tenant: Tenant) -> None:
    publish(tenant, {"key": "news", "deadline": "PT30M", "steps": [HOUR, REST]})
    [first] = bring(tenant, 1)
    publish(tenant, {"key": "news", "steps": [HOUR, REST]})
    [second] = bring(tenant, 2)

    advance_due(tenant_id=tenant.pk, now=run_of(tenant, first).deadline_at)
    close_all(tenant)

    assert run_of(tenant, first).state == "expired"
    assert (collected_by(tenant, second)["count"], len(digests_of(tenant))) == (1, 1), "versions share a digest"


def test_when_all_have_gone_it_closes_empty(tenant: Tenant) -> None:
    collecting(tenant)
    run_ids = bring(tenant, 1, 2)
    control(tenant, cancel_runs, *run_ids)

    close_all(tenant)

    [digest] = digests_of(tenant)
    assert (digest.status, digest.count, digest.leader_run_id, digest.due_at) == ("closed", 0, None, None)


def test_a_paused_run_leads_only_when_nobody_else_can(tenant: Tenant) -> None:
    collecting(tenant)
    first, second = bring(tenant, 1, 2)
    control(tenant, pause_runs, first)

    close_all(tenant)

    assert collected_by(tenant, second)["count"] == 2
    assert (run_of(tenant, first).state, run_of(tenant, first).status_reason) == ("paused", "outcome_held")
    control(tenant, resume_runs, first)
    assert (run_of(tenant, first).state, run_of(tenant, first).status_reason) == ("completed", "digested")


def test_a_digest_of_paused_runs_goes_on_when_its_leader_does(tenant: Tenant) -> None:
    collecting(tenant)
    first, second = bring(tenant, 1, 2)
    control(tenant, pause_runs, first, second)

    close_all(tenant)
    assert run_of(tenant, first).state == "paused"
    control(tenant, resume_runs, first, second)
    drain(tenant)

    assert (run_of(tenant, first).step, collected_by(tenant, first)["count"]) == ("rest", 2)
    assert run_of(tenant, second).status_reason == "digested"
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def test_what_is_switched_off_keeps_its_digest(tenant: Tenant) -> None:
    collecting(tenant)
    first, second = bring(tenant, 1, 2)
    switched: dict[str, Any] = {"tenant_id": tenant.pk, "key": "news", "cause": Cause.API, "cause_ref": "", "why": "x"}
    switch_definition(level="all_off", **switched)

    close_all(tenant)
    assert {run_of(tenant, one).state for one in (first, second)} == {"paused"}
    switch_definition(level="on", **switched)
    control(tenant, resume_runs, first, second)

    assert (run_of(tenant, first).step, run_of(tenant, second).status_reason) == ("rest", "digested")


def test_a_run_may_come_back_and_collect_again(tenant: Tenant) -> None:
    again = {"key": "again", "kind": "wait", "for": "PT1H", "on_timeout": {"goto": "collect"}}
    publish(tenant, {"key": "news", "steps": [HOUR, again]})
    [run_id] = bring(tenant, 1)
    close_all(tenant)
    assert run_of(tenant, run_id).step == "again"

    drain(tenant, now=run_of(tenant, run_id).due_at)

    assert reasons_of(tenant, run_id)[-1] == "digest_joined"
    assert [one.count for one in digests_of(tenant)] == [1, 1]


def test_a_leader_that_comes_right_back_opens_the_next_digest(tenant: Tenant) -> None:
    collecting(tenant, {"on_outcome": {"collected": {"goto": "collect"}, "digested": {"goto": "rest"}}})
    first, second = bring(tenant, 1, 2)

    close_all(tenant)

    shown = [(one.status, one.count, items_of(tenant, one)) for one in digests_of(tenant)]
    assert shown == [("closed", 2, [(1, first, ""), (2, second, "")]), ("open", 1, [(1, first, "")])]
    assert (run_of(tenant, first).visits, run_of(tenant, second).step) == ({"collect": 2}, "rest")


def test_members_go_where_their_step_says(tenant: Tenant) -> None:
    collecting(tenant, {"on_outcome": {"digested": {"goto": "rest"}, "collected": "complete"}})
    first, second = bring(tenant, 1, 2)

    close_all(tenant)

    assert (run_of(tenant, first).state, run_of(tenant, second).step) == ("completed", "rest")


@pytest.mark.parametrize(("which", "leads"), [(0, True), (1, False)])
def test_the_explanation_says_who_leads_and_when(which: int, leads: bool, tenant: Tenant) -> None:
    collecting(tenant)
    run_ids = bring(tenant, 1, 2)
    [digest] = digests_of(tenant)

    said = explain_run(tenant_id=tenant.pk, public_id=run_of(tenant, run_ids[which]).public_id)

    assert said.digest is not None
    assert (said.reason, said.digest.id, said.digest.leads) == ("digest_joined", digest.public_id, leads)
    assert (said.digest.position, said.digest.count, said.digest.closes_at) == (which + 1, 2, digest.closes_at)
    assert f"item {which + 1} of the digest {digest.public_id}, with 1 other" in said.sentence
    assert (said.next[0].on, said.next[0].at) == ("timer", digest.closes_at)
    assert said.next[0].then == ({"step": "rest"} if leads else {"state": "completed"})
    close_all(tenant)
    ended = explain_run(tenant_id=tenant.pk, public_id=run_of(tenant, run_ids[1]).public_id)
    assert f"the run {run_of(tenant, run_ids[0]).public_id} took its item along" in ended.sentence
