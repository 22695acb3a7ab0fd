"""Trying a provider: a real message on the way of every message, and what the provider answered, by every face."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.core.management import CommandError, call_command
from pytest_httpserver import HTTPServer
from rest_framework.test import APIClient

from deliveries.models import Delivery, Provider
from tenants.models import Tenant
from tenants.models.operator_action import OperatorAction
from tenants.scope import tenant_scope
from tests.deliveries.test_providers import chat, sms
from workflows.models import Definition, Run
from workflows.services.turn import engine_turn, work_turn
from workflows.verify import verify_trace

NUMBER = "+4366012345678"
MESSAGES = "/2010-04-01/Accounts/AC1/Messages.json"


@pytest.fixture(autouse=True)
def _loopback(settings: Any) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.1/32"]


def go_on(tenant: Tenant) -> None:
    """What workers would do now."""
    engine_turn(tenant_id=tenant.pk)
    work_turn(tenant_id=tenant.pk)
    engine_turn(tenant_id=tenant.pk)


@contextmanager
def a_worker(tenant: Tenant) -> Iterator[None]:
    """Somebody who does the work meanwhile."""
    done = threading.Event()

    def work() -> None:
        from django.db import connections

        while not done.wait(0.02):
            go_on(tenant)
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def stored(tenant: Tenant, key: str) -> Provider:
    with tenant_scope(tenant.pk):
        return Provider.objects.get(tenant_id=tenant.pk, key=key)


def test_the_answer_of_a_provider_is_shown_and_its_health_is_noted(
    tenant: Tenant, rest: APIClient, httpserver: HTTPServer
) -> None:
    httpserver.expect_ordered_request(MESSAGES).respond_with_json({"sid": "SM7"}, status=201)
    httpserver.expect_ordered_request(MESSAGES).respond_with_json({"message": "no"}, status=401)
    sms(tenant, "texts", httpserver.url_for(""), position=9)
    sms(tenant, "others", httpserver.url_for("/others"))
    with tenant_scope(tenant.pk):
        Provider.objects.filter(tenant_id=tenant.pk, key="texts").update(failures=2, last_error="http 503")

    asked = rest.post("/v1/providers/texts/test", {"to": NUMBER})
    place = f"/v1/provider-tests/{asked.json()['run_id']}"
    waits = rest.get(place).json()
    go_on(tenant)
    good, well = rest.get(place).json(), stored(tenant, "texts").failures
    refused = rest.post("/v1/providers/texts/test", {"to": f" {NUMBER} "}).json()["run_id"]
    go_on(tenant)
    bad = rest.get(f"/v1/provider-tests/{refused}").json()

    assert asked.status_code == 202
    assert (waits["is_settled"], waits["outcome"], waits["delivery_id"]) == (False, "", None)
    assert (good["is_settled"], good["outcome"], good["provider_ref"]) == (True, "delivered", "SM7")
    assert rest.get(f"/v1/deliveries/{good['delivery_id']}").json()["provider"] == "texts"
    assert (bad["outcome"], bad["error"]) == ("retries_exhausted", "http 401")
    assert "http 401" in bad["sentence"]
    assert (well, stored(tenant, "texts").failures) == (0, 1)
    (first, _), _ = httpserver.log
    said = parse_qs(first.get_data(as_text=True))
    assert (said["To"], "texts" in said["Body"][0]) == ([NUMBER], True)
    assert good["provider"] == "texts"
    versions = [one for one in rest.get("/v1/definitions").json()["items"] if one["key"] == "chimeway_provider_test"]
    assert len(versions) == 1, "another test of it needs no other version"
    assert list(verify_trace(tenant_id=tenant.pk)) == []


@pytest.mark.parametrize(
    ("key", "asked", "status", "told"),
    [
        ("texts", {}, 400, "/to"),
        ("texts", {"to": "ada@example.com"}, 400, "/to"),
        ("texts", {"to": {"endpoint": 1}}, 400, "/to"),
        ("texts", {"to": NUMBER, "from": "me"}, 400, "/from"),
        ("off", {"to": NUMBER}, 409, "provider_disabled"),
        ("nobody", {"to": NUMBER}, 404, "not_found"),
    ],
)
def test_what_cannot_be_tried_is_refused_and_nothing_is_written(
    key: str, asked: dict[str, Any], status: int, told: str, tenant: Tenant, rest: APIClient
) -> None:
    sms(tenant, "texts", "https://sms.example.com")
    sms(tenant, "off", "https://sms.example.com", enabled=False)

    answer = rest.post(f"/v1/providers/{key}/test", asked)

    assert answer.status_code == status
    assert told in ([one["path"] for one in answer.json()["detail"]] if status == 400 else answer.json()["code"])
    with tenant_scope(tenant.pk):
        assert [m.objects.filter(tenant_id=tenant.pk).count() for m in (Definition, Run, Delivery)] == [0, 0, 0]


def test_a_chat_that_leads_to_one_place_needs_no_address_and_an_unknown_end_is_told(
    tenant: Tenant, rest: APIClient, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/hook").respond_with_data("", status=500)
    chat(tenant, "ops", httpserver.url_for("/hook"))

    run = rest.post("/v1/providers/ops/test", {}).json()["run_id"]
    go_on(tenant)

    assert rest.get(f"/v1/provider-tests/{run}").json()["outcome"] == "unknown"
    assert rest.get(f"/v1/runs/{run}").json()["state"] == "completed", "nobody has to settle a test"
    assert len(httpserver.log) == 1


def test_the_command_waits_for_the_answer(tenant: Tenant, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request(MESSAGES).respond_with_json({"sid": "SM9"}, status=201)
    httpserver.expect_ordered_request(MESSAGES).respond_with_json({}, status=400)
    sms(tenant, "texts", httpserver.url_for(""))
    words = ["providers", "test", "texts", "--to", NUMBER, "--tenant", tenant.slug, "--by", "olga"]

    def told(*more: str) -> str:
        out = StringIO()
        call_command(*words, *more, stdout=out)
        return out.getvalue()

    with a_worker(tenant):
        assert re.match(r"delivered: Sent at .* It calls the message SM9\. \(run ", told())
        with pytest.raises(CommandError, match=r"permanent_failure: .*http 400"):
            told()
    assert told("--wait", "0").startswith("not yet: ")
    with tenant_scope(tenant.pk):
        by = OperatorAction.objects.filter(tenant_id=tenant.pk, action="providers test")
        assert set(by.values_list("username", flat=True)) == {"olga"}
