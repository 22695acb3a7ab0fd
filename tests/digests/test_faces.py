"""Digests in REST, at the admin and on the command line; what is erased, exported and pruned of them."""

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from chimeway_py.nudges import TASKS
from signals_app.subjects.erase import erase_subject
from signals_app.subjects.export import export_subject
from tenants.admin.paging import page_of
from tenants.models import Role, Tenant
from tenants.scope import database_now, tenant_scope
from tests.admin.conftest import operator  # noqa: F401  a fixture of these tests, too
from tests.digests.collecting import HOUR, REST, bring, close_all, collected_by, collecting, digests_of, let_time_come
from tests.journeys import drain, publish, rows_of, run_of, start, told_of
from tests.retention.conftest import keep, prune
from workflows.errors import RunDataGone
from workflows.models import Digest, DigestItem, Run, Transition
from workflows.services.lanes import other_turns
from workflows.services.sweeping import TURNS, due_work

WHY = {"reason": "a test"}


def test_digests_are_listed_shown_and_paged(rest: APIClient, tenant: Tenant) -> None:
    collecting(tenant)
    run_ids = bring(tenant, 1, 2, 3)
    bring(tenant, 4, subject="bob")

    listed = rest.get("/v1/digests?subject=ada&workflow=news&step=collect&status=open").json()["items"]
    [shown] = listed
    assert (shown["count"], shown["leader_run_id"], shown["closed_by"]) == (3, None, "")
    address = f"/v1/digests/{shown['id']}"
    assert rest.get(address).json() == shown
    first = rest.get(f"{address}/items?limit=2&include=data").json()
    second = rest.get(f"{address}/items?limit=2&include=data&cursor={first['next']}").json()
    items = [*first["items"], *second["items"]]
    assert [(one["position"], one["data"]) for one in items] == [(1, {"n": 1}), (2, {"n": 2}), (3, {"n": 3})]
    assert [one["run_id"] for one in items] == [str(run_of(tenant, run_id).public_id) for run_id in run_ids]
    assert rest.get(f"{address}/items").json()["items"][0]["data"] is None
    assert len(rest.get("/v1/digests").json()["items"]) == 2


def test_a_digest_is_flushed_once(rest: APIClient, tenant: Tenant) -> None:
    collecting(tenant)
    first, second = bring(tenant, 1, 2)
    address = f"/v1/digests/{digests_of(tenant)[0].public_id}"

    flushed = rest.post(f"{address}/flush", WHY)
    assert flushed.status_code == 200
    assert (flushed.json()["status"], flushed.json()["closed_by"]) == ("closed", "flush")
    assert flushed.json()["leader_run_id"] == str(run_of(tenant, first).public_id)
    close_all(tenant)

    assert (run_of(tenant, first).step, run_of(tenant, second).state) == ("rest", "completed")
    assert "a test" in [one.get("why") for one in told_of(tenant, first, "step_settled")]
    before = rows_of(tenant, (Run, Transition, Digest, DigestItem))
    again = rest.post(f"{address}/flush", WHY)
    removed = rest.delete(f"{address}/items/1", WHY)
    assert [(one.status_code, one.json()["code"]) for one in (again, removed)] == [(409, "digest_closed")] * 2
    assert rows_of(tenant, (Run, Transition, Digest, DigestItem)) == before


def test_an_item_is_taken_out_and_its_run_says_so(rest: APIClient, tenant: Tenant) -> None:
    collecting(tenant)
    first, second = bring(tenant, 1, 2)
    address = f"/v1/digests/{digests_of(tenant)[0].public_id}"

    removed = rest.delete(f"{address}/items/1", WHY)
    again = rest.delete(f"{address}/items/1", WHY)
    close_all(tenant)

    assert (removed.status_code, removed.json()["left_why"]) == (200, "removed")
    assert (again.status_code, again.json()["code"]) == (409, "digest_item_gone")
    assert (run_of(tenant, first).state, run_of(tenant, first).terminal_reason) == ("stopped", "digest_item_removed")
    assert collected_by(tenant, second)["items"] == [{"n": 2}]


def test_a_client_that_sends_no_body_says_why_in_the_query(rest: APIClient, tenant: Tenant) -> None:
    collecting(tenant)
    first, _ = bring(tenant, 1, 2)
    item = f"/v1/digests/{digests_of(tenant)[0].public_id}/items/1"

    twice = rest.delete(f"{item}?reason=a+test", WHY)
    other = rest.delete(f"{item}?reason=a+test&force=true")
    removed = rest.delete(f"{item}?reason=by+mistake")
    close_all(tenant)

    assert [(one.status_code, one.json()["detail"][0]["path"]) for one in (twice, other)] == [
        (400, "/reason"),
        (400, "/force"),
    ]
    assert (removed.status_code, removed.json()["left_why"]) == (200, "removed")
    assert "by mistake" in [one.get("why") for one in told_of(tenant, first, "step_settled")]


@pytest.mark.parametrize(
    ("verb", "path", "body", "status", "fault"),
    [
        ("get", "?status=late", None, 400, "/status"),
        ("get", "?what=ever", None, 400, "/what"),
        ("get", "/{id}/items?include=all", None, 400, "/include"),
        ("post", "/{id}/flush", {}, 400, "/reason"),
        ("post", "/{id}/flush", {"reason": "x" * 2001}, 400, "/reason"),
        ("delete", "/{id}/items/1", {}, 400, "/reason"),
        ("delete", "/{id}/items/9", WHY, 404, ""),
        ("post", "/01900000-0000-7000-8000-000000000000/flush", WHY, 404, ""),
    ],
)
def test_what_makes_no_sense_writes_nothing(
    verb: str, path: str, body: Any, status: int, fault: str, rest: APIClient, tenant: Tenant
) -> None:
    collecting(tenant)
    bring(tenant, 1)
    before = rows_of(tenant, (Run, Transition, Digest, DigestItem))

    answer = getattr(rest, verb)("/v1/digests" + path.format(id=digests_of(tenant)[0].public_id), body)

    assert answer.status_code == status
    assert [one["path"] for one in answer.json()["detail"] or ()] == ([fault] if fault else [])
    assert rows_of(tenant, (Run, Transition, Digest, DigestItem)) == before


def test_the_sweep_finds_what_is_due(tenant: Tenant) -> None:
    collecting(tenant)
    bring(tenant, 1)
    assert ("digests", tenant.pk) not in due_work()

    let_time_come(tenant)
    assert ("digests", tenant.pk) in due_work()
    assert TURNS["digests"](tenant_id=tenant.pk) == 1

    assert ("digests", tenant.pk) not in due_work()
    assert {*TURNS, *other_turns()} == set(TASKS)


def test_the_command_shows_flushes_and_takes_out(tenant: Tenant) -> None:
    collecting(tenant)
    bring(tenant, 1, 2)
    digest = str(digests_of(tenant)[0].public_id)

    def told(*words: str) -> str:
        written = StringIO()
        call_command("digests", *words, "--tenant", tenant.slug, stdout=written)
        return written.getvalue()

    assert f"{digest}  news/collect  ada  2 items" in told("list", "--status", "open", "--subject", "ada")
    assert "1  " in told("show", digest)
    assert "removed" in told("remove", digest, "2", "--reason", "wrong")
    assert "by flush" in told("flush", digest, "--reason", "now", "--by", "olga")
    for wrong in (["flush", digest, "--reason", "again"], ["show", "nothing"], ["show", str(uuid.uuid4())]):
        with pytest.raises(CommandError):
            told(*wrong)


def test_operators_flush_and_take_out_and_viewers_look(
    operator: Callable[..., Client],  # noqa: F811
    tenant: Tenant,
) -> None:
    collecting(tenant)
    first, second, third = bring(tenant, 1, 2, 3)
    [digest] = digests_of(tenant)
    with tenant_scope(tenant.pk):
        item = DigestItem.objects.get(tenant_id=tenant.pk, position=1)
    client, viewer = operator(tenant, role=Role.OPERATOR), operator(tenant, role=Role.VIEWER)
    lists = [reverse(f"admin:workflows_{name}_changelist") for name in ("digest", "digestitem")]
    flush = {"action": "flush", "_selected_action": digest.pk, "confirmed": "1", "reason": "a test"}
    remove = {"action": "remove", "_selected_action": item.pk, "confirmed": "1", "reason": "a test"}

    assert all(viewer.get(url).status_code == 200 for url in lists)
    assert "1 removed" not in viewer.get(page_of(digest)).content.decode()
    viewer.post(lists[0], flush)
    assert digests_of(tenant)[0].status == "open"
    client.post(lists[1], remove)
    client.post(lists[0], flush)
    again = client.post(lists[0], flush, follow=True).content.decode()
    close_all(tenant)

    assert "0 moved, 1 refused" in again
    states = [(run_of(tenant, one).state, run_of(tenant, one).step) for one in (first, second, third)]
    assert states == [("stopped", "collect"), ("waiting", "rest"), ("completed", "collect")]
    shown = client.get(page_of(digest)).content.decode()
    assert str(run_of(tenant, second).public_id)[:8] in shown


def test_what_a_subject_brought_is_erased_also_where_others_went_on_with_it(tenant: Tenant) -> None:
    publish(tenant, {"key": "news", "steps": [HOUR | {"across_subjects": True, "by": "data.team"}, REST]})
    for subject in ("ada", "bob", "eve"):
        start(tenant, "news", subject, data={"team": "t-ada", "n": f"of {subject}"})
        drain(tenant)
    leader = items(tenant)[0].run_id
    close_all(tenant)
    start(tenant, "news", "bob", data={"team": "t-ada", "n": "later"})
    drain(tenant)
    lines = [json.loads(line) for line in export_subject(tenant_id=tenant.pk, subject="bob")]
    assert [one["position"] for one in lines if one["kind"] == "digest_item"] == [2, 1]

    erased = erase_subject(tenant_id=tenant.pk, subject="bob", cause="operator", cause_ref="olga", reason="asked")

    assert erased.counts["digest_items"] == 2
    assert "bob" not in {item.subject for item in items(tenant)}
    output = collected_by(tenant, leader)
    assert [item["n"] for item in output["items"]] == ["of ada", "of eve"]
    assert digests_of(tenant)[1].count == 0, "the live run has left with its item"
    erase_subject(tenant_id=tenant.pk, subject="ada", cause="operator", cause_ref="olga", reason="asked")
    with pytest.raises(RunDataGone):
        collected_by(tenant, leader)


def test_digests_go_with_the_last_run_that_brought_something(tenant: Tenant) -> None:
    collecting(
        tenant, {}, {"key": "done", "kind": "branch", "when": [{"if": {"path": "data.n", "eq": 1}, "then": "complete"}]}
    )
    leader, member = bring(tenant, 1, 2)
    close_all(tenant)
    keep(tenant)

    for run_id, digests in ((leader, 1), (member, 0)):
        with tenant_scope(tenant.pk):
            Run.objects.for_tenant(tenant.pk).filter(pk=run_id).update(finished_at=database_now() - timedelta(days=99))
        pruned = prune(tenant)
        assert (pruned["run"], pruned["digest_item"]) == (1, 1)
        assert len(digests_of(tenant)) == digests


def items(tenant: Tenant) -> list[DigestItem]:
    with tenant_scope(tenant.pk):
        return list(DigestItem.objects.filter(tenant_id=tenant.pk).order_by("id"))
