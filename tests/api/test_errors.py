"""One error body for everything, and 503 with Retry-After when the database cannot answer."""

import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django import db
from django.db import connection
from django.http import Http404, HttpRequest
from django.test import RequestFactory
from rest_framework import exceptions
from rest_framework.test import APIClient

from chimeway_py.api import errors
from chimeway_py.errors import ChimewayError, Conflict
from signals_app.api import signals
from signals_app.models import Signal
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tenants.services import create_api_key, revoke_api_key
from tests.plugin import Servers


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (Conflict("no"), 409, "conflict"),
        (Http404(), 404, "not_found"),
        (exceptions.NotFound(), 404, "not_found"),
        (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
        (exceptions.UnsupportedMediaType("x/y"), 415, "unsupported_media_type"),
        (exceptions.Throttled(7), 429, "throttled"),
        (exceptions.ValidationError({"a": ["bad"]}), 400, "invalid"),
        (db.OperationalError("connection refused"), 503, "unavailable"),
        (db.InterfaceError("connection already closed"), 503, "unavailable"),
        (ZeroDivisionError("secret value"), 500, "internal_error"),
    ],
)
def test_every_exception_has_the_one_body(raised: Exception, status: int, code: str) -> None:
    answer = errors.answer_error(raised, {})

    assert answer.status_code == status
    assert answer.data.keys() == {"code", "message", "detail", "request_id"}
    assert answer.data["code"] == code
    assert "secret" not in str(answer.data)
    assert ("Retry-After" in answer) == (status in {429, 503})


def test_faults_of_a_serializer_are_named_by_json_pointer() -> None:
    detail = exceptions.ValidationError({"steps": [{}, {"a/b": ["Bad."]}], "non_field_errors": ["Worse."]}).detail

    found = [(fault["path"], fault["message"]) for fault in errors.faults_of(detail)]

    assert found == [("/steps/1/a~1b", "Bad."), ("", "Worse.")]


@pytest.fixture
def impatient() -> Iterator[None]:
    """This connection waits for locks for a fifth of a second."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '200ms'")
    yield
    connection.close()


def test_a_lock_that_is_not_given_is_503_and_nothing_is_written(
    rest: APIClient, tenant: Tenant, servers: Servers, impatient: None
) -> None:
    with servers.postgres.connect() as owner:
        owner.execute("BEGIN")
        owner.execute("LOCK TABLE signals_app_signalkey IN ACCESS EXCLUSIVE MODE")
        answer = rest.post("/v1/signals", {"name": "a", "subject": "s"})
        owner.execute("ROLLBACK")

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer["Retry-After"] == "1"
    with tenant_scope(tenant.pk):
        assert Signal.objects.count() == 0


def test_connections_that_were_cut_are_replaced_before_a_request_uses_them(
    web_server: str, tenant: Tenant, api_key: Callable[..., str], servers: Servers
) -> None:
    request = urllib.request.Request(f"{web_server}/v1/tenant", headers={"X-Api-Key": api_key(tenant)})
    statuses = []

    for _ in range(5):
        with urllib.request.urlopen(request) as answer:
            statuses.append(answer.status)
        with servers.postgres.connect() as owner:
            owner.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'chimeway-web'"
            )

    assert statuses == [200] * 5


def test_what_nobody_foresaw_is_500_rolled_back_and_tells_nothing(
    rest: APIClient, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept = signals.accept_signals

    def store_and_break(**given: Any) -> None:
        accept(**given)
        raise RuntimeError("canary-4711")

    monkeypatch.setattr(signals, "accept_signals", store_and_break)

    answer = rest.post("/v1/signals", {"name": "a"})

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert b"canary" not in answer.content
    with tenant_scope(tenant.pk):
        assert Signal.objects.count() == 0


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (lambda request: errors.answer_not_found(request, Http404()), 404),
        (lambda request: errors.answer_bad_request(request, ChimewayError()), 400),
        (errors.answer_broken, 500),
    ],
)
def test_what_never_reaches_a_view_is_json_for_programs_and_a_page_for_people(
    answer: Callable[[HttpRequest], Any], status: int
) -> None:
    for_programs, for_people = answer(RequestFactory().get("/v1/x")), answer(RequestFactory().get("/x"))

    assert (for_programs.status_code, for_people.status_code) == (status, status)
    assert for_programs["Content-Type"] == "application/json"
    assert for_people["Content-Type"].startswith("text/html")


def test_revoking_a_key_acts_at_once_in_another_process(tenant: Tenant, web_server: str) -> None:
    def asked(token: str) -> int:
        request = urllib.request.Request(f"{web_server}/v1/tenant", headers={"X-Api-Key": token})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    issued = create_api_key(tenant_id=tenant.pk, name="ci", scopes=[])
    before = [asked(issued.token) for _ in range(6)]  # every process of the server has seen it

    revoke_api_key(tenant_id=tenant.pk, public_id=issued.row.public_id)

    assert (before, [asked(issued.token) for _ in range(6)]) == ([200] * 6, [401] * 6)
