"""Undoing runs over REST, at the command line and in the admin; with real receivers; and what else meets it."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from pytest_httpserver import HTTPServer
from rest_framework.test import APIClient

from chimeway_py.errors import Invalid
from deliveries.models import Delivery, InboxItem
from deliveries.services.resend import resend_delivery
from deliveries.services.templates import put_template
from signals_app.subjects.erase import erase_subject
from tenants.admin.paging import page_of
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.admin.conftest import operator
from tests.admin.test_actions import ask as press
from tests.admin.test_actions import said
from tests.definitions.documents import document
from tests.journeys import publish, rows_of, run_of, start
from tests.steps.owing import claimed, make_due
from tests.steps.test_compensation import BY, REST, ask, cancel, intact, resting, sent, step, undone, work
from tests.workflows.probe import Probe
from workflows.definitions.diff import Change, diff
from workflows.definitions.document import Target, parse_document
from workflows.definitions.schema import document_schema
from workflows.definitions.validate import validate
from workflows.graph import draw_graph
from workflows.history.exporting import export_run
from workflows.history.importing import ImportRefused, import_run
from workflows.models import Run, StepRun, Transition
from workflows.services.bulk_control import control_planned, plan_control
from workflows.services.lost_work import end_lost_work
from workflows.services.replay import replay_run
from workflows.services.run_selection import Plan, Selection
from workflows.steps.base import Outcome

__all__ = ["operator"]

BULK = "/v1/runs/bulk"
RUNS = reverse("admin:workflows_run_changelist")
CALL = {"key": "call", "kind": "http", "url": "https://a.example/x"}


def address(tenant: Tenant, run_id: int, verb: str) -> str:
    return f"/v1/runs/{run_of(tenant, run_id).public_id}/{verb}"


# -- what a definition may say ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("compensate", "path", "code"),
    [
        ({"kind": "wait", "for": "P1D"}, "/kind", "choice"),
        ({"kind": "external", "of": "x", "id": "run.id"}, "/kind", "choice"),
        ({"url": "https://a.example/"}, "/kind", "required"),
        ({"kind": "http"}, "/url", "required"),
        ({"kind": "http", "url": "https://a.example/", "key": "x"}, "/key", "unknown_key"),
        ({"kind": "http", "url": "https://a.example/", "answer": "x"}, "/answer", "unknown_key"),
        ({"kind": "http", "url": "https://a.example/", "on_outcome": {}}, "/on_outcome", "unknown_key"),
        ({"kind": "http", "url": "https://a.example/", "compensate": {}}, "/compensate", "unknown_key"),
        ({"kind": "http", "url": "https://a.example/{{ data.x"}, "/url", "url"),
        ({"kind": "http", "url": "https://a.example/{{ signal.x }}"}, "/url", "path"),
        ({"kind": "deliver", "channel": "email", "to": "nowhere.at_all"}, "/to", "shape"),
        ({"kind": "deliver", "channel": "in_app", "template": "none"}, "/template", "unknown_template"),
        ("undo", "", "type"),
    ],
)
def test_a_fault_of_a_compensation_is_told_with_its_path(compensate: Any, path: str, code: str, tenant: Tenant) -> None:
    raw = document(CALL | {"compensate": compensate})

    assert (f"/steps/0/compensate{path}", code) in [(one["path"], one["code"]) for one in validate(raw, tenant.pk)]


def test_steps_that_do_no_work_have_nothing_to_undo() -> None:
    [fault] = validate(document(REST | {"compensate": {"kind": "http", "url": "https://a.example/"}}))

    assert (fault["path"], fault["code"]) == ("/steps/0/compensate", "unknown_key")


def test_a_template_that_only_a_compensation_uses_is_read_once() -> None:
    undo = {"kind": "deliver", "channel": "in_app", "template": "sorry"}
    steps = [CALL | {"key": key, "compensate": undo} for key in ("one", "two")]

    faults = validate(document(*steps, templates={"sorry": {"title": "Sorry", "text": "{{ broken"}}))

    assert [fault["path"] for fault in faults] == ["/templates/sorry/text"]


def test_rest_refuses_a_faulty_compensation_and_writes_nothing(tenant: Tenant, rest: APIClient) -> None:
    raw = {"key": "order", "steps": [CALL | {"compensate": {"kind": "http", "url": "ftp://a.example"}}]}

    response = rest.post("/v1/definitions", raw)

    assert response.status_code in (400, 422)
    assert [one["path"] for one in response.json()["detail"]] == ["/steps/0/compensate/url"]
    assert rest.get("/v1/definitions").json()["items"] == []


def test_the_published_schema_knows_it() -> None:
    kinds = document_schema()["$defs"]["compensate"]["properties"]["kind"]["enum"]

    assert {"deliver", "http"} <= set(kinds)
    assert not {"wait", "branch", "approval", "external"} & set(kinds)


def test_the_picture_shows_what_undoes_a_step() -> None:
    undo = {"kind": "deliver", "channel": "in_app", "template": "sorry"}
    stop = {"permanent_failure": {"stop": "no", "compensate": True}}
    drawn = draw_graph(parse_document({"key": "order", "steps": [CALL | {"compensate": undo, "on_outcome": stop}]}))

    assert "http ↩ in_app" in drawn
    assert "call (http, undone by in_app)" in drawn
    assert "stop: no, undo" in drawn


def test_a_difference_is_told_at_its_place() -> None:
    undo = {"kind": "http", "url": "https://a.example/undo"}
    one, other = (document(CALL | {"compensate": undo | {"method": word}}) for word in ("POST", "DELETE"))

    assert diff(one, other) == [Change("/steps/call/compensate/method", "changed", "POST", "DELETE")]


@pytest.mark.parametrize("raw", [{"stop": "late"}, {"stop": "late", "compensate": True}])
def test_a_target_says_again_what_was_declared(raw: dict[str, Any]) -> None:
    assert Target.parse(raw).as_declared() == raw


# -- the faces --------------------------------------------------------------------------------------------------------


def test_rest_cancels_with_compensation_and_explains_it(tenant: Tenant, rest: APIClient, probe: Probe) -> None:
    run_id = resting(tenant, step("reserve"), step("charge"))

    answer = rest.post(address(tenant, run_id, "cancel"), {"reason": "withdrawn", "compensate": True})

    assert (answer.status_code, answer.json()["compensates"]) == (200, ["charge", "reserve"])
    explained = rest.get(address(tenant, run_id, "explain")).json()
    assert [(one["step"], one["status"]) for one in explained["compensations"]] == [
        ("charge", "owed"),
        ("reserve", "owed"),
    ]
    assert [(one["on"], one["name"]) for one in explained["next"]] == [("compensation", "charge")]
    work(tenant)
    detail = rest.get(f"{address(tenant, run_id, '')}?include=steps,attempts".replace("/?", "?")).json()
    assert [(one["step"], one["undo"]) for one in detail["steps"] if one["undo"]] == [("charge", 1), ("reserve", 2)]
    assert {one["undo"] for one in detail["attempts"]} == {0, 1, 2}


def test_rest_asks_for_it_later_and_is_refused_when_nothing_is_left(
    tenant: Tenant, rest: APIClient, probe: Probe
) -> None:
    run_id = resting(tenant, step("charge"))
    live = rest.post(address(tenant, run_id, "compensate"), {"reason": "too early"}).json()
    assert (live["verdict"], live["why"]) == ("refused", "The run has not ended; cancel it with compensation.")
    rest.post("/v1/runs/cancel", {"runs": [str(run_of(tenant, run_id).public_id)]})

    asked = rest.post(address(tenant, run_id, "compensate"), {"reason": "after all"})

    assert (asked.json()["verdict"], asked.json()["compensates"]) == ("moved", ["charge"])
    again = rest.post(address(tenant, run_id, "compensate"), {"reason": "and again"})
    assert (again.json()["verdict"], again.json()["why"]) == ("refused", "Nothing is left to undo.")
    stale = rest.post(address(tenant, run_id, "compensate"), {}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "revision_mismatch")


@pytest.mark.parametrize("asked", [{"compensate": "perhaps"}, {"compensat": True}, {"compensate": None}])
def test_rest_refuses_what_means_nothing(asked: dict[str, Any], tenant: Tenant, rest: APIClient, probe: Probe) -> None:
    run_id = resting(tenant, step("charge"))
    before = rows_of(tenant, (Run, StepRun, Transition))

    assert rest.post(address(tenant, run_id, "cancel"), asked).status_code == 400

    assert (run_of(tenant, run_id).state, rows_of(tenant, (Run, StepRun, Transition))) == ("waiting", before)


def test_the_neighbour_finds_no_run_to_undo(
    tenant: Tenant, other_tenant: Tenant, client_of: Callable[..., APIClient], probe: Probe
) -> None:
    run_id = resting(tenant, step("charge"))
    cancel(tenant, run_id, compensate=False)

    assert client_of(other_tenant).post(address(tenant, run_id, "compensate"), {}).status_code == 404

    assert undone(tenant, run_id) == []


def test_rest_settles_the_compensation_and_not_the_step(tenant: Tenant, rest: APIClient, probe: Probe) -> None:
    run_id = resting(tenant, step("charge", compensate={"kind": "probe", "at_most_once": True}))
    cancel(tenant, run_id)
    claimed(tenant)
    make_due(tenant)
    end_lost_work(tenant_id=tenant.pk)
    found_out = {"step": "charge", "outcome": "delivered", "reason": "asked the bank"}

    assert rest.post(address(tenant, run_id, "settle"), found_out).status_code == 409
    settled = rest.post(address(tenant, run_id, "settle"), found_out | {"compensation": True})

    assert (settled.status_code, settled.json()["undo"], settled.json()["status"]) == (200, 1, "succeeded")
    assert undone(tenant, run_id) == [("charge", 1, "succeeded")]


def test_a_bulk_look_names_what_would_be_undone_and_the_plan_keeps_it(
    tenant: Tenant, rest: APIClient, probe: Probe
) -> None:
    first = resting(tenant, step("reserve"), step("charge"), {"key": "tell", "kind": "probe"})
    runs = [first, start(tenant, "order", "grace")]
    work(tenant)
    before = rows_of(tenant, (Run, StepRun, Transition))
    asked = {"action": "cancel", "where": {"workflow": "order"}, "compensate": True, "dry_run": True}

    looked = rest.post("/v1/runs/bulk", asked).json()

    assert looked["compensates"] == {"order.charge": 2, "order.reserve": 2}
    assert rows_of(tenant, (Run, StepRun, Transition)) == before
    done = rest.post("/v1/runs/bulk", {"plan": looked["plan"], "reason": "wrong import", "limit": 1}).json()
    assert [one["compensates"] for one in done["runs"]] == [["charge", "reserve"]]
    rest.post("/v1/runs/bulk", {"plan": done["plan"], "reason": "wrong import"})
    work(tenant)
    assert [len(undone(tenant, run_id)) for run_id in runs] == [2, 2]
    assert len(sent(probe)) == 4


def test_a_bulk_look_without_it_names_nothing_and_other_actions_refuse_it(tenant: Tenant, rest: APIClient) -> None:
    where = {"workflow": "order"}

    assert rest.post("/v1/runs/bulk", {"action": "cancel", "where": where, "dry_run": True}).json()["compensates"] == {}
    refused = rest.post("/v1/runs/bulk", {"action": "wake", "where": where, "compensate": True, "dry_run": True})
    assert (refused.status_code, refused.json()["detail"][0]["path"]) == (400, "/compensate")
    plan = plan_control(tenant_id=tenant.pk, action="wake", selection=Selection(workflow="order")).plan
    with pytest.raises(Invalid):
        Plan.from_token(Plan("wake", plan.selection, 1, compensate=True).as_token())


def test_a_bulk_cancel_counts_only_what_it_moves(tenant: Tenant, probe: Probe) -> None:
    resting(tenant, step("charge"))
    second = start(tenant, "order", "grace")
    work(tenant)
    cancel(tenant, second)

    seen = plan_control(tenant_id=tenant.pk, action="cancel", selection=Selection(workflow="order"), compensate=True)

    assert seen.compensates == {"order.charge": 1}
    control_planned(tenant_id=tenant.pk, plan=seen.plan, **BY)


def test_a_cancel_by_key_may_undo_as_well(tenant: Tenant, rest: APIClient, probe: Probe) -> None:
    publish(tenant, {"key": "order", "steps": [step("charge"), REST]})
    run_id = start(tenant, "order", idempotency_key="order-1")
    work(tenant)

    done = rest.post("/v1/runs/cancel-by-key", {"idempotency_key": "order-1", "compensate": True}).json()

    assert done["runs"][0]["compensates"] == ["charge"]
    work(tenant)
    assert undone(tenant, run_id) == [("charge", 1, "succeeded")]


def command(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_the_command_line_undoes(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant, step("charge"))
    public_id, here = str(run_of(tenant, run_id).public_id), ["--tenant", tenant.slug, "--reason", "a test"]

    looked = command("runs", "bulk", "cancel", "--workflow", "order", "--compensate", "--dry-run", *here)
    assert "To be undone: 1 order.charge." in looked
    assert "to be undone: charge" in command("runs", "cancel", public_id, "--compensate", *here)
    told = io.StringIO()
    with pytest.raises(CommandError, match="Nothing was done"):
        call_command("runs", "compensate", public_id, *here, stdout=told)
    assert "Nothing is left to undo" in told.getvalue()
    work(tenant)
    assert undone(tenant, run_id) == [("charge", 1, "succeeded")]


def test_an_operator_cancels_and_undoes(operator: Callable[..., Client], tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant, step("reserve"), step("charge"))
    client, run = operator(tenant), run_of(tenant, run_id)
    page = client.get(page_of(run)).content.decode()
    assert "Cancel and undo" in page

    assert "It ends, and is undone: charge, reserve." in press(client, RUNS, "cancel_and_undo", run).content.decode()
    assert "1 moved" in said(press(client, RUNS, "cancel_and_undo", run, reason="withdrawn"))

    work(tenant)
    assert sent(probe) == ["charge:1", "reserve:1"]
    page = client.get(page_of(run)).content.decode()
    assert "Undone: 2 of 2." in page
    assert "Undoing" in page


def test_an_operator_tries_again_what_failed(operator: Callable[..., Client], tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant, step("charge"))
    probe.answer = lambda claim: Outcome("permanent_failure")
    cancel(tenant, run_id)
    work(tenant)
    probe.answer = lambda claim: Outcome("delivered")
    client, run = operator(tenant), run_of(tenant, run_id)

    assert "what failed to be undone is tried again" in press(client, RUNS, "compensate", run).content.decode()
    assert "1 moved" in said(press(client, RUNS, "compensate", run, reason="the bank is back"))

    work(tenant)
    assert undone(tenant, run_id) == [("charge", 1, "succeeded")]
    assert "1 refused" in said(press(client, RUNS, "compensate", run, reason="once more"))


def test_a_page_of_a_journey_that_cannot_be_undone_does_not_offer_it(
    operator: Callable[..., Client], tenant: Tenant, probe: Probe
) -> None:
    run_id = resting(tenant, {"key": "tell", "kind": "probe"})

    page = operator(tenant).get(page_of(run_of(tenant, run_id))).content.decode()

    assert "Cancel" in page
    assert "_and_undo" not in page
    assert "Undo" not in page


# -- with real receivers ----------------------------------------------------------------------------------------------


def test_a_call_is_undone_with_what_it_brought_back(tenant: Tenant, httpserver: HTTPServer, settings: Any) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    base = httpserver.url_for("").rstrip("/")
    httpserver.expect_request("/book", method="POST").respond_with_json({"id": "b-7"})
    httpserver.expect_request("/bookings/b-7", method="DELETE").respond_with_data("", 204)
    undo = {"kind": "http", "method": "DELETE", "url": base + "/bookings/{{ data.booking.id }}"}
    book = {"key": "book", "kind": "http", "url": base + "/book", "answer": "booking", "compensate": undo}
    publish(tenant, {"key": "order", "steps": [book, REST]})
    run_id = start(tenant, "order")
    work(tenant)
    cancel(tenant, run_id)

    work(tenant)

    (_, first), (request, second) = httpserver.log[0], httpserver.log[1]
    assert (first.status_code, second.status_code) == (200, 204)
    assert request.headers["Idempotency-Key"] == f"{run_of(tenant, run_id).public_id}:book:1:compensate"
    assert intact(tenant, run_id)


SORRY: dict[str, Any] = {
    "key": "order",
    "templates": {
        "hello": {"title": "Hello", "text": "Hello"},
        "sorry": {"title": "Sorry", "text": "Sorry {{ data.n }}"},
    },
    "steps": [
        {
            "key": "tell",
            "kind": "deliver",
            "channel": "in_app",
            "template": "hello",
            "compensate": {"kind": "deliver", "channel": "in_app", "template": "sorry"},
        },
        REST,
    ],
}


def items(tenant: Tenant) -> list[str]:
    with tenant_scope(tenant.pk):
        return [one.content["title"] for one in InboxItem.objects.filter(tenant_id=tenant.pk).order_by("id")]


def test_a_message_takes_another_back(tenant: Tenant) -> None:
    publish(tenant, SORRY)
    run_id = start(tenant, "order", data={"n": 1})
    work(tenant)

    cancel(tenant, run_id)

    assert items(tenant) == ["Hello", "Sorry"]
    with tenant_scope(tenant.pk):
        told, sorry = Delivery.objects.filter(tenant_id=tenant.pk).order_by("id")
    assert sorry.key == f"{told.key}:compensate"
    resend_delivery(tenant_id=tenant.pk, delivery=sorry.public_id, reason="did not see it")
    assert items(tenant) == ["Hello", "Sorry", "Sorry"]
    assert intact(tenant, run_id)


def test_a_message_that_failed_is_sent_under_the_same_key_when_asked_for(tenant: Tenant) -> None:
    put_template(tenant_id=tenant.pk, key="later", channel="in_app", text="{{ data.n | divided_by: 0 }}")
    undo = SORRY["steps"][0]["compensate"] | {"template": "later"}
    publish(tenant, SORRY | {"steps": [SORRY["steps"][0] | {"compensate": undo}, REST]})
    run_id = start(tenant, "order", data={"n": 1})
    work(tenant)
    cancel(tenant, run_id)
    assert undone(tenant, run_id) == [("tell", 1, "failed")]
    put_template(tenant_id=tenant.pk, key="later", channel="in_app", subject="Sorry", text="Sorry")

    assert ask(tenant, run_id).compensates == ("tell",)

    assert undone(tenant, run_id) == [("tell", 1, "succeeded")]
    with tenant_scope(tenant.pk):
        told, sorry = Delivery.objects.filter(tenant_id=tenant.pk).order_by("id")
    assert (sorry.key, sorry.status, sorry.error) == (f"{told.key}:compensate", "delivered", "")
    assert len(items(tenant)) == 2
    assert intact(tenant, run_id)


# -- what else meets it -----------------------------------------------------------------------------------------------


def test_a_run_that_is_being_undone_is_not_to_be_pruned(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant, step("charge"))
    cancel(tenant, run_id)

    def being_undone() -> list[int]:
        with tenant_scope(tenant.pk):
            return list(Run.objects.for_tenant(tenant.pk).being_undone().values_list("id", flat=True))

    assert being_undone() == [run_id]
    work(tenant)
    assert being_undone() == []


def test_a_run_that_is_being_undone_is_not_imported(tenant: Tenant, other_tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant, step("charge"))
    cancel(tenant, run_id)
    run = run_of(tenant, run_id)

    def exported() -> list[str]:
        with tenant_scope(tenant.pk):
            return list(export_run(tenant_id=tenant.pk, public_id=run.public_id))

    with pytest.raises(ImportRefused):
        import_run(tenant_id=other_tenant.pk, lines=exported(), live=True)
    assert rows_of(other_tenant, (Run, StepRun)) == [0, 0]

    work(tenant)
    assert import_run(tenant_id=other_tenant.pk, lines=exported()).created
    with tenant_scope(other_tenant.pk):
        [arrived] = StepRun.objects.filter(tenant_id=other_tenant.pk, undo=1)
    assert (arrived.step, arrived.status) == ("charge", "succeeded")


def test_a_replay_is_not_in_the_way(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant, step("charge"))
    cancel(tenant, run_id)

    new = replay_run(tenant_id=tenant.pk, public_id=run_of(tenant, run_id).public_id, **BY)

    work(tenant)
    assert undone(tenant, run_id) == [("charge", 1, "succeeded")]
    assert (run_of(tenant, new.run_id).state, undone(tenant, new.run_id)) == ("waiting", [])


def test_an_erased_subject_leaves_compensations_that_end(tenant: Tenant) -> None:
    undo = {"kind": "deliver", "channel": "email", "template": "sorry", "to": "data.email"}
    publish(tenant, SORRY | {"steps": [SORRY["steps"][0] | {"compensate": undo}, REST]})
    run_id = start(tenant, "order", "ada", data={"email": "ada@example.com"})
    work(tenant)
    cancel(tenant, run_id)

    erase_subject(tenant_id=tenant.pk, subject="ada", cause="operator", cause_ref="olga")
    work(tenant)

    [(_, _, status)] = undone(tenant, run_id)
    assert status in ("failed", "cancelled")
    assert intact(tenant, run_id)


def test_no_line_holds_a_value(tenant: Tenant, probe: Probe) -> None:
    publish(tenant, {"key": "order", "steps": [step("charge"), REST]})
    run_id = start(tenant, "order", data={"card": "canary-4711"})
    work(tenant)
    cancel(tenant, run_id)
    work(tenant)

    with tenant_scope(tenant.pk):
        lines = Transition.objects.filter(tenant_id=tenant.pk, run_id=run_id).values_list("context", flat=True)
        assert "canary-4711" not in json.dumps(list(lines))


def test_what_many_ended_runs_did_is_undone_in_bulk(
    tenant: Tenant, rest: APIClient, probe: Probe, operator: Callable[..., Client]
) -> None:
    done, again, by_admin, live = (resting(tenant, step("reserve"), step("charge")) for _ in range(4))
    idle = start(tenant, "order")  # it never began: nothing to undo
    for run_id in (done, again, by_admin, idle):
        cancel(tenant, run_id, compensate=False)
    cancel(tenant, started := resting(tenant, step("reserve"), step("charge")), compensate=True)  # undone already
    work(tenant)
    with tenant_scope(tenant.pk):  # of one a compensation failed
        undo = StepRun.objects.for_tenant(tenant.pk).filter(run_id=started, undo=1)
        assert undo.update(status="failed") == 1
    before, tables = rows_of(tenant, TABLES := (Run, StepRun, Transition)), {"workflow": "order"}

    look = rest.post(BULK, {"action": "compensate", "where": tables, "dry_run": True}).json()

    assert (look["moves"], look["by_state"]) == (4, {"cancelled": 5, "waiting": 1})
    assert look["compensates"] == {"order.charge": 4, "order.reserve": 3}
    assert rows_of(tenant, TABLES) == before
    first = rest.post(BULK, {"plan": look["plan"], "limit": 1, "reason": "closed"}).json()
    [verdict] = first["runs"]
    assert (verdict["verdict"], verdict["compensates"], first["remaining"]) == ("moved", ["charge", "reserve"], 3)
    assert undone(tenant, done) == [("charge", 1, "owed"), ("reserve", 1, "owed")]

    page = operator(tenant).post(
        reverse("admin:workflows_run_bulk"), {"tenant": tenant.pk, "action": "compensate", "workflow": "order"}
    )
    assert "To compensate: 3. To be undone: 3 order.charge, 2 order.reserve." in page.content.decode()
    out = io.StringIO()
    given = ["--workflow", "order", "--tenant", tenant.slug, "--reason", "closed"]
    call_command("runs", "bulk", "compensate", *given, stdout=out)

    assert "To be undone: 3 order.charge, 2 order.reserve." in out.getvalue()
    assert "3 moved, 0 refused, 0 to come." in out.getvalue()
    work(tenant)
    for run_id in (done, again, by_admin, started):
        assert [status for _, _, status in undone(tenant, run_id)] == ["succeeded", "succeeded"]
        assert intact(tenant, run_id)
    assert [undone(tenant, run_id) for run_id in (idle, live)] == [[], []]
    left = rest.post(BULK, {"plan": look["plan"], "reason": "again"}).json()
    assert (left["moves"], left["runs"], left["plan"]) == (0, [], None)
    refused = rest.post(BULK, {"action": "compensate", "where": tables, "compensate": True, "dry_run": True})
    assert (refused.status_code, refused.json()["detail"][0]["path"]) == (400, "/compensate")
