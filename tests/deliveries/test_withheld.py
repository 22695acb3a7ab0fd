"""What never became a message is in the history too: stopped or delayed by a throttle, taken out of a digest."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from signals_app.subjects.erase import erase_subject
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tenants.sql import execute
from tests.deliveries.conftest import Journey
from workflows.digests.closing import Asked
from workflows.digests.control import remove_item
from workflows.models import Digest, Run, StepRun
from workflows.services.control import cancel_runs
from workflows.services.turn import engine_turn
from workflows.states import Cause

TELL = {"key": "tell", "channel": "in_app", "template": "hello"}
SLOW: dict[str, Any] = {"key": "slow", "kind": "throttle", "window": "PT1H", "threshold": 1}
COLLECT: dict[str, Any] = {"key": "collect", "kind": "digest", "window": {"fixed": "PT1H"}}
HELLO = {"hello": {"title": "Hello", "text": "t"}}
HISTORY = "/v1/recipients/anna/history"


def take_out(tenant: Tenant, position: int) -> Digest:
    with tenant_scope(tenant.pk):
        digest = Digest.objects.get(tenant_id=tenant.pk)
    asked = Asked(Cause.API, "", "sent by mistake")
    remove_item(tenant_id=tenant.pk, public_id=digest.public_id, position=position, asked=asked)
    return digest


def end(tenant: Tenant, *runs: Run) -> None:
    ids = [run.public_id for run in runs]
    cancel_runs(tenant_id=tenant.pk, public_ids=ids, cause=Cause.API, cause_ref="", reason="no need")


@pytest.fixture
def told(rest: APIClient) -> Any:
    def ask(**query: str) -> list[dict[str, Any]]:
        answer = rest.get(HISTORY, query)
        assert answer.status_code == 200, answer.content
        return answer.json()["items"]  # type: ignore[no-any-return]

    return ask


def test_what_a_throttle_stops_is_in_the_history_and_links_both_ways(
    rest: APIClient, journey: Journey, told: Any
) -> None:
    journey.publish(SLOW | {"on_limit": {"stop": "told_already"}}, TELL, templates=HELLO)
    passed, stopped = journey.start(), journey.start()

    newest, oldest = told()
    assert (oldest["kind"], oldest["status"], newest["kind"]) == ("message", "delivered", "throttle")
    assert (newest["status"], newest["error"], newest["decided_by"]) == ("suppressed", "throttled", "step")
    assert newest["why"].startswith("Not let through: “slow” ended with limited: 1 per PT1H, used up by the run")
    assert str(passed.public_id) in newest["why"]
    run = rest.get(f"/v1/runs/{newest['run_id']}").json()
    assert (run["id"], run["subject"], run["terminal_reason"]) == (str(stopped.public_id), "anna", "told_already")
    assert set(newest) == set(oldest)
    assert [one["id"] for one in told(status="suppressed", error="throttled", step="slow")] == [None]
    assert len(told(run=newest["run_id"])) == len(told(decided_by="step")) == 1
    assert told(channel="in_app") == told(status="delivered") == [oldest]
    assert told(planned_before="2026-01-01T00:00:00Z") == []


def test_what_a_throttle_delays_is_there_until_its_turn_comes(tenant: Tenant, journey: Journey, told: Any) -> None:
    journey.publish(SLOW | {"on_limit": "delay"}, TELL, templates=HELLO)
    _, second, third = journey.start(), journey.start(), journey.start()

    held = told(held="true")
    assert [(one["kind"], one["status"], one["held_by"]) for one in held] == [("throttle", "planned", "throttle")] * 2
    assert held[1]["held_until"][:16] in held[1]["why"].replace(" ", "T")

    end(tenant, third)
    moved = "UPDATE workflows_throttlepass SET at = at - interval '1 hour', expires_at = expires_at - interval '1 hour'"
    with tenant_scope(tenant.pk):
        execute(f"{moved} WHERE tenant_id = %s", [tenant.pk])
        StepRun.objects.filter(tenant_id=tenant.pk, run_id=second.pk).update(due_at="2026-01-01T00:00:00Z")
    journey.work()
    now = told()
    assert [(one["kind"], one["status"]) for one in now] == [
        ("message", "delivered"),
        ("throttle", "cancelled"),
        ("message", "delivered"),
    ]
    assert now[1]["why"].startswith("Its run ended while “slow” is held back until")


def test_what_is_taken_out_of_a_digest_is_in_the_history(
    rest: APIClient, tenant: Tenant, journey: Journey, told: Any
) -> None:
    journey.publish(COLLECT, TELL, templates=HELLO)
    runs = [journey.start() for _ in range(4)]
    digest = take_out(tenant, 2)
    end(tenant, runs[2])
    rest.post(f"/v1/digests/{digest.public_id}/flush", {"reason": "now"})
    engine_turn(tenant_id=tenant.pk)
    journey.work()

    entries = {one["run_id"]: one for one in told()}
    removed, ended = entries[str(runs[1].public_id)], entries[str(runs[2].public_id)]
    assert (removed["kind"], removed["status"], removed["error"]) == ("digest", "suppressed", "digest_item_removed")
    assert removed["why"] == "Not told: somebody took out item 2 of the digest of “collect”: sent by mistake."
    assert removed["digest"] == {"id": str(digest.public_id), "position": 2}
    assert (ended["status"], ended["error"]) == ("cancelled", "run_ended")
    items = rest.get(f"/v1/digests/{digest.public_id}/items").json()["items"]
    assert {one["run_id"] for one in items if one["left_why"]} == {removed["run_id"], ended["run_id"]}
    assert sorted(one["kind"] for one in entries.values()) == [
        "digest",
        "digest",
        "message",
    ]  # one message for the rest
    assert [one["error"] for one in told(status="suppressed")] == ["digest_item_removed"]


def test_pages_neither_skip_nor_repeat_in_one_order_of_time(rest: APIClient, journey: Journey, tenant: Tenant) -> None:
    journey.publish(SLOW, TELL, templates=HELLO)
    other = Journey(tenant)
    other.publish(TELL, templates=HELLO)
    for _ in range(3):
        journey.start()
        other.start()

    whole = rest.get(HISTORY).json()["items"]
    paged: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = rest.get(HISTORY, {"limit": "2", **cursor}).json()
        paged += page["items"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
        other.start()  # what comes meanwhile is newer than any page that follows

    assert paged == whole
    assert [one["kind"] for one in whole] == ["message", "throttle"] * 2 + ["message"] * 2
    assert [one["planned_at"] for one in whole] == sorted((one["planned_at"] for one in whole), reverse=True)
    assert rest.get(HISTORY, {"limit": "0"}).json() == {"items": [], "next": None}
    for bad in ("x", rest.get("/v1/recipients/eve/history", {"limit": "1"}).json()["next"] or "AAAA"):
        assert rest.get(HISTORY, {"cursor": bad}).status_code == 400


def test_admin_page_command_erasure_and_other_tenants(
    tenant: Tenant, other_tenant: Tenant, journey: Journey, rest: APIClient, told: Any
) -> None:
    journey.publish(SLOW, TELL, templates=HELLO)
    journey.start()
    journey.start()
    stranger = Journey(other_tenant)
    stranger.publish(TELL, templates=HELLO)
    stranger.start()

    out = StringIO()
    call_command("recipients", "history", "anna", "--tenant", tenant.slug, stdout=out)
    stopped, sent = out.getvalue().splitlines()
    assert "throttle" in stopped
    assert "suppressed: Not let through: “slow”" in stopped
    assert "delivered: Sent at" in sent
    assert len(told()) == 2

    erase_subject(tenant_id=tenant.pk, subject="anna", cause=Cause.API, cause_ref="")
    assert told() == []
    with tenant_scope(tenant.pk):
        names = set(StepRun.objects.filter(tenant_id=tenant.pk).values_list("withheld_from", flat=True))
    assert None in names
    assert len(names) == 2
    assert "anna" not in names
