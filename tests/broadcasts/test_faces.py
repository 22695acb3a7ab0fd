"""Broadcasts at the admin, on the command line, to subscribers, and to those who ask to be forgotten."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from deliveries.models import Broadcast, BroadcastChunk
from tenants.admin.paging import page_of
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.admin.conftest import operator
from tests.broadcasts.conftest import HEADLINE, Sender
from workflows.retention.pruning import prune_everywhere

__all__ = ["operator"]
LIST = "/admin/deliveries/broadcast/"
FILE = b"subject,data.headline\nada,A\nbob,B\nada,C\n"


def told(*words: str, tenant: Tenant, name: str = "broadcast") -> str:
    out = StringIO()
    call_command(name, *words, "--tenant", tenant.slug, stdout=out)
    return out.getvalue()


def test_the_admin_uploads_looks_starts_and_cancels(
    sender: Sender, operator: Callable[..., Client], tenant: Tenant
) -> None:
    client = operator(tenant)
    asked = {"tenant": tenant.pk, "workflow": "news", "name": "Spring", "columns": "{}", "data": "{}"}
    bad = SimpleUploadedFile("people.csv", b"subject,data.headline\n,x\n", "text/csv")

    refused = client.post(f"{LIST}add/", asked | {"file": bad})
    before = sender.rows()
    client.post(f"{LIST}add/", asked | {"file": SimpleUploadedFile("people.csv", FILE, "text/csv")})
    with tenant_scope(tenant.pk):
        made = Broadcast.objects.get(tenant_id=tenant.pk)
    here = page_of(made).removesuffix("change/")
    look = client.get(f"{here}look/")
    stale = client.post(f"{here}look/", {"token": "0.0"}, follow=True)
    client.post(f"{here}look/", {"token": look.context["form"].initial["token"]})
    sender.go_on()
    page = client.get(f"{here}change/")
    client.post(f"{here}cancel/", {"reason": "wrong list", "runs": "on"})
    sender.go_on()

    assert b"Text of 1 to 200 characters" in refused.content
    assert before == (0, 0, 0)
    assert b"2 runs of news v1 would start, 1 targets would be skipped." in look.content
    assert b"Not the token" in stale.content
    assert b"Completed: 2 of 3 started, 1 skipped." in page.content
    assert sender.shown(str(made.public_id))["status"] == "cancelled"
    assert {run.state for run in sender.runs()} == {"cancelled"}


def test_who_may_only_look_changes_nothing(sender: Sender, operator: Callable[..., Client], tenant: Tenant) -> None:
    made = sender.make(subjects=["ada"], data=HEADLINE)
    viewer = operator(tenant, role="viewer")
    with tenant_scope(tenant.pk):
        here = page_of(Broadcast.objects.get(tenant_id=tenant.pk)).removesuffix("change/")

    for address in (f"{LIST}add/", f"{here}look/", f"{here}cancel/"):
        assert viewer.post(address, {"reason": "x", "token": "0.0"}).status_code == 403
    assert viewer.get(f"{here}change/").status_code == 200
    assert sender.shown(made["id"])["status"] == "draft"


def test_the_command_goes_all_the_way(sender: Sender, tenant: Tenant, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes(FILE)

    made = told("create", "news", "--file", str(file), "--name", "Spring", tenant=tenant).split()[0]
    seen = json.loads(told("preview", made, tenant=tenant))
    begun = told("start", made, "--token", seen["token"], tenant=tenant)
    sender.go_on()
    shown = told("show", made, "--skipped", tenant=tenant).splitlines()
    one = told("show", made, "--subject", "bob", tenant=tenant).splitlines()[1]
    report = told("report", made, tenant=tenant).splitlines()
    ended = told("cancel", made, "--by", "olga", "--runs", "--reason", "wrong list", tenant=tenant)

    assert (seen["total"], seen["skipped"]) == (3, {"duplicate": 1})
    assert begun.startswith(f"{made}  news v1  Spring  Running: 0 of 3")
    assert shown[1] == "3  ada  Skipped: the same subject stands before in this broadcast."
    assert one.startswith("2  bob  Its run was started.")
    assert len(report) == 4
    assert "Its runs are being cancelled" in ended
    kept = sender.rest.get("/v1/audit").json()["items"]
    assert [one["action"] for one in kept] == ["broadcast cancel", "broadcast start", "broadcast create"]
    assert kept[0]["changes"]["status"] == ["completed", "cancelling"]
    assert told("list", tenant=tenant).startswith(made)
    file.write_bytes(b"subject\n\n")
    for words in (["create", "news"], ["create", "news", "--file", str(file), "--segment", "x"], ["preview", made]):
        with pytest.raises(CommandError):
            told(*words, tenant=tenant)


def test_segments_on_the_command_line(sender: Sender, people: Callable[..., None], tenant: Tenant) -> None:
    people(ada={"plan": "pro"}, bob={})
    condition = '{"path": "recipient.attributes.plan", "eq": "pro"}'

    assert told("put", "pro", condition, tenant=tenant, name="segments") == "pro made\n"
    assert told("count", "pro", tenant=tenant, name="segments") == "1 of 2 recipients\n"
    assert told("list", tenant=tenant, name="segments").startswith("pro  {")
    assert "segment pro" in told("create", "news", "--segment", "pro", "--data", json.dumps(HEADLINE), tenant=tenant)
    told("delete", "pro", tenant=tenant, name="segments")
    with pytest.raises(CommandError):
        told("count", "pro", tenant=tenant, name="segments")


def test_who_is_erased_is_not_started_and_nowhere_to_be_found(sender: Sender) -> None:
    made = sender.make()
    sender.upload(made["id"], "subject,data.headline\nada,secret-of-ada\nbob,B\n")
    exported = sender.rest.get("/v1/subjects/ada/export")
    lines = [json.loads(line) for line in b"".join(exported.streaming_content).splitlines()]

    erased = sender.rest.delete("/v1/subjects/ada")
    sender.start(made["id"])
    sender.go_on()

    assert [one["outcome"] for one in lines if one["kind"] == "broadcast_target"] == ["waiting"]
    assert erased.status_code == 200, erased.content
    assert [run.subject for run in sender.runs()] == ["bob"]
    assert sender.shown(made["id"])["skipped"] == {"erased": 1}
    [first, _] = sender.targets(made["id"])
    assert (first["outcome"], first["reason"]) == ("skipped", "erased")
    assert first["subject"] != "ada"
    with tenant_scope(sender.tenant.pk):
        assert "ada" not in BroadcastChunk.objects.get(tenant_id=sender.tenant.pk).subjects


def test_subscribers_hear_of_its_end(sender: Sender) -> None:
    sender.rest.put("/v1/event-subscriptions/crm", {"url": "https://example.com/x", "types": ["broadcast.completed"]})
    made = sender.make(subjects=["ada", "ada"], data=HEADLINE)
    sender.start(made["id"])
    sender.go_on()

    [event] = sender.rest.get("/v1/events").json()["items"]
    assert event["type"] == "broadcast.completed"
    assert event["data"] == {"broadcast_id": made["id"], "workflow": "news", "status": "completed", "total": 2} | {
        "started": 1,
        "skipped": {"duplicate": 1},
    }


def test_a_policy_prunes_what_has_ended_with_its_targets(sender: Sender) -> None:
    ended, held, draft = (sender.make(subjects=[name], data=HEADLINE) for name in ("ada", "bob", "cy"))
    for one in (ended, held):
        sender.rest.post(f"/v1/broadcasts/{one['id']}/cancel", {"reason": "old"})
    with tenant_scope(sender.tenant.pk) as scope:
        rows = Broadcast.objects.filter(tenant_id=sender.tenant.pk)
        rows.update(created_at=scope.now - timedelta(days=40))
    sender.rest.put("/v1/retention/policies/broadcasts", {"days": 30})
    sender.rest.post("/v1/holds", {"on": "subject", "value": "bob", "reason": "a test"})

    plan: Any = sender.rest.get("/v1/retention/plan").json()
    sender.rest.post("/v1/retention/orders", {"plan": plan["plan"], "reason": "a test"})
    prune_everywhere()

    left = {one["id"] for one in sender.rest.get("/v1/broadcasts").json()["items"]}
    assert left == {held["id"], draft["id"]}
    assert sender.rows()[1] == 2
