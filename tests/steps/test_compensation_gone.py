"""What a run worked with was erased, or did not come along: nothing is sent for it any more, and it is said why."""

from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from rest_framework.test import APIClient

from deliveries.models import Delivery, InboxItem
from signals_app.subjects.erase import erase_subject
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.history.test_export_import import arrived, lines_of
from tests.journeys import drain, publish, reasons_of, run_of, start
from tests.steps.test_compensation import REST, ask, cancel, explained, intact, undone, work
from workflows.history.importing import import_run
from workflows.models import Run, Transition

GONE = "what the run worked with was erased or is not kept any more"


@pytest.fixture(autouse=True)
def _receiver_is_nearby(settings: Any, httpserver: HTTPServer) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    httpserver.expect_request("/orders").respond_with_json({"ref": "r-9"})
    httpserver.expect_request("/undo").respond_with_data("")


@pytest.fixture(params=["start data", "an answer", "nothing"])
def called(request: pytest.FixtureRequest, tenant: Tenant, httpserver: HTTPServer) -> Run:
    """A run that called out and was cancelled without being undone: with start data, an answer, or neither."""
    has_answer, base = request.param == "an answer", httpserver.url_for("").rstrip("/")
    body = {"id": "data.order.ref" if has_answer else "data.id", "whom": "run.subject"}
    undo = {"kind": "http", "url": f"{base}/undo", "body": body}
    call = {"key": "order", "kind": "http", "url": f"{base}/orders", "compensate": undo}
    publish(tenant, {"key": "order", "steps": [call | ({"answer": "order"} if has_answer else {}), REST]})
    run_id = start(tenant, "order", "ada", data={"id": 7} if request.param == "start data" else {})
    work(tenant)
    cancel(tenant, run_id, compensate=False)
    httpserver.clear_log()
    return run_of(tenant, run_id)


def fails_and_says_so(tenant: Tenant, run: Run, httpserver: HTTPServer) -> None:
    """Asked for twice, nothing is sent, and trace and explanation say why."""
    for _ in range(2):
        assert ask(tenant, run.pk).compensates == ("order",)
        work(tenant)
    assert (httpserver.log, undone(tenant, run.pk)) == ([], [("order", 1, "failed")])
    assert GONE in explained(tenant, run.pk).sentence
    with tenant_scope(tenant.pk):
        last = Transition.objects.filter(tenant_id=tenant.pk, run_id=run.pk).latest("seq")
    assert (last.reason, last.context["error"]) == ("compensation_failed", "run_data_gone")
    assert intact(tenant, run.pk)


def test_after_an_erasure_a_compensation_fails_and_sends_nothing(
    tenant: Tenant, called: Run, httpserver: HTTPServer
) -> None:
    erase_subject(tenant_id=tenant.pk, subject="ada", cause="operator", cause_ref="olga")

    fails_and_says_so(tenant, called, httpserver)


def test_one_that_is_owed_when_the_subject_is_erased_fails_too(
    tenant: Tenant, called: Run, httpserver: HTTPServer
) -> None:
    ask(tenant, called.pk)
    erase_subject(tenant_id=tenant.pk, subject="ada", cause="operator", cause_ref="olga")
    work(tenant)

    fails_and_says_so(tenant, called, httpserver)


@pytest.mark.parametrize("called", ["start data", "an answer"], indirect=True)
def test_a_run_that_came_without_its_payloads_is_undone_where_it_came_from(
    tenant: Tenant, other_tenant: Tenant, called: Run, httpserver: HTTPServer
) -> None:
    import_run(tenant_id=other_tenant.pk, lines=lines_of(tenant, called))
    there = arrived(other_tenant, called)
    fails_and_says_so(other_tenant, there, httpserver)
    ask(tenant, called.pk)
    work(tenant)

    assert len(httpserver.log) == 1
    assert undone(tenant, called.pk) == [("order", 1, "succeeded")]


def test_a_message_of_an_erased_subject_is_not_sent_again(tenant: Tenant, rest: APIClient) -> None:
    tell = {"key": "tell", "kind": "deliver", "channel": "in_app", "template": "note"}
    note = {"title": "Dear {{ data.name }}", "text": "Hello"}
    undo = {"kind": "deliver", "channel": "in_app", "template": "note"}
    publish(tenant, {"key": "order", "templates": {"note": note}, "steps": [tell | {"compensate": undo}, REST]})
    run_id = start(tenant, "order", "ada", data={"name": "Ada"})
    drain(tenant)
    cancel(tenant, run_id, compensate=False)
    erase_subject(tenant_id=tenant.pk, subject="ada", cause="operator", cause_ref="olga")
    with tenant_scope(tenant.pk):
        [delivery] = Delivery.objects.for_tenant(tenant.pk)

    refused = rest.post(f"/v1/deliveries/{delivery.public_id}/resend", {"reason": "again"})
    ask(tenant, run_id)
    work(tenant)

    assert (refused.status_code, refused.json()["code"]) == (409, "run_data_gone")
    assert (undone(tenant, run_id), reasons_of(tenant, run_id)[-1]) == ([("tell", 1, "failed")], "compensation_failed")
    with tenant_scope(tenant.pk):
        assert (Delivery.objects.count(), InboxItem.objects.count()) == (1, 1)
