"""Limits at REST, webhooks, the admin and the command line."""

import json
import re
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from signals_app.models import Signal, SignalSource
from tenants.admin.paging import page_of
from tenants.models import Limit, OperatorAction, Tenant
from tenants.scope import tenant_scope
from tests.journeys import rows_of
from tests.limits.test_taking import limit
from tests.plugin import Servers
from tests.signals.conftest import Post
from tests.signals.test_hooks import EVENT, NewSource


def test_requests_are_counted_and_told(rest: APIClient, tenant: Tenant) -> None:
    assert "RateLimit" not in rest.get("/v1/tenant").headers
    limit(tenant, "requests_per_minute", 2)

    first, second, third = (rest.get("/v1/tenant") for _ in range(3))

    assert [one.status_code for one in (first, second, third)] == [200, 200, 429]
    assert first["RateLimit-Policy"] == '"requests_per_minute";q=2;w=60'
    assert first["RateLimit"] == '"requests_per_minute";r=1;t=30'
    assert re.fullmatch(r'"requests_per_minute";r=0;t=(60|5\d)', second["RateLimit"])
    assert third.json()["code"] == "limit_reached"
    assert third.json()["detail"] | {"retry_after": 0} == {
        "limit": "requests_per_minute",
        "amount": 2,
        "asked": 1,
        "left": 0,
        "retry_after": 0,
    }
    assert third["Retry-After"] == str(third.json()["detail"]["retry_after"])
    assert 20 <= int(third["Retry-After"]) <= 30
    assert third["RateLimit"].startswith('"requests_per_minute";r=0;t=')


def test_a_refused_write_writes_nothing_and_may_be_sent_again(rest: APIClient, tenant: Tenant) -> None:
    limit(tenant, "signals_per_minute", 0)
    asked = {"name": "order.made"}

    refused = rest.post("/v1/signals", asked, headers={"Idempotency-Key": "k1"})

    assert (refused.status_code, refused.json()["detail"]["limit"]) == (429, "signals_per_minute")
    assert rows_of(tenant, (Signal,)) == [0]
    limit(tenant, "signals_per_minute", None)
    assert rest.post("/v1/signals", asked, headers={"Idempotency-Key": "k1"}).status_code == 202


def test_nobody_else_notices_a_tenant_at_its_limit(
    rest: APIClient, client_of: Callable[..., APIClient], tenant: Tenant, other_tenant: Tenant, servers: Servers
) -> None:
    """Neither of what it takes nor of how long that takes: somebody holds its buckets meanwhile."""
    limit(tenant, "requests_per_minute", 3)
    limit(other_tenant, "requests_per_minute", 100)
    other = client_of(other_tenant)
    assert (rest.get("/v1/runs").status_code, other.get("/v1/runs").status_code) == (200, 200)

    with servers.postgres.connect() as owner, owner.transaction():
        owner.execute("SELECT FROM tenants_limituse WHERE tenant_id = %s FOR UPDATE", [tenant.pk])
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
        held, meanwhile = rest.get("/v1/runs").status_code, other.get("/v1/runs")
    statuses = [(rest.get("/v1/runs").status_code, other.get("/v1/runs").status_code) for _ in range(20)]
    last = other.get("/v1/runs")
    connection.close()

    assert (held, meanwhile.status_code) == (503, 200)
    assert statuses == [(200, 200)] * 2 + [(429, 200)] * 18
    assert left_of(meanwhile) - left_of(last) in (
        19,
        20,
        21,
    )  # its own twenty and one, less what has come back meanwhile


def left_of(answer: Any) -> int:
    """What is left of a limit on requests, as an answer tells it."""
    return int(answer["RateLimit"].partition("r=")[2].partition(";")[0])


def test_who_used_it_up_is_told(rest: APIClient, client_of: Callable[..., APIClient], tenant: Tenant) -> None:
    limit(tenant, "signals_per_day", 10)
    other = client_of(tenant)
    for client, count in ((rest, 1), (other, 2)):
        for _ in range(count):
            assert client.post("/v1/signals", {"name": "order.made"}).status_code == 202

    [told] = rest.get("/v1/limits").json()["limits"]

    assert told | {"used_by": []} == {
        "limit": "signals_per_day",
        "amount": 10,
        "left": 7,
        "seconds": 86400,
        "used_by": [],
    }
    assert [one["taken"] for one in told["used_by"]] == [2, 1]
    assert all(one["name"].startswith("key cw_") for one in told["used_by"])


def test_webhooks_are_limited_once_they_prove_themselves(
    tenant: Tenant,
    new_source: NewSource,
    post_hook: Post,
) -> None:
    source = new_source(tenant)
    limit(tenant, "signals_per_minute", 1)
    raw = json.dumps(EVENT).encode()

    forged = post_hook(source, raw, sent=raw + b" ")
    answers = [post_hook(source, EVENT | {"id": f"evt_{n}"}) for n in (2, 3)]

    assert forged.status_code == 401
    assert [one.status_code for one in answers] == [202, 429]
    assert answers[1].json()["code"] == "limit_reached"
    assert "Retry-After" in answers[1].headers
    assert rows_of(tenant, (Signal,)) == [1]
    with tenant_scope(tenant.pk):
        assert SignalSource.objects.get(pk=source.pk).rejected_count == 1, "a webhook without room is no bad webhook"


def test_a_command_sets_and_shows_limits(tenant: Tenant) -> None:
    def run(*words: str) -> list[dict[str, Any]]:
        out = StringIO()
        call_command("limits", *words, stdout=out)
        return [json.loads(line) for line in out.getvalue().splitlines()]

    run("set", tenant.slug, "live_runs", "50", "--by", "olga")
    run("set", tenant.slug, "signals_per_day", "unlimited")

    assert run("show", tenant.slug) == [{"limit": "live_runs", "amount": 50, "left": 50, "used_by": {}}]
    assert run("set", tenant.slug, "live_runs", "default") == []
    with pytest.raises(CommandError, match="whole number"):
        run("set", tenant.slug, "live_runs", "-3")
    with tenant_scope(tenant.pk):
        assert Limit.objects.get(kind="signals_per_day").changed_by == "command"


def test_only_superusers_set_limits_at_the_admin(
    tenant: Tenant,
    operator: Callable[..., Client],
) -> None:
    limit(tenant, "live_runs", 5)
    add = reverse("admin:tenants_limit_add")
    said = {"tenant": tenant.pk, "kind": "signals_per_day", "rule": "amount", "amount": "1000"}

    assert operator(tenant).post(add, said).status_code == 403
    superuser = operator(tenant, superuser=True)
    answer = superuser.post(add, said)

    assert answer.status_code == 302, answer.content.decode()
    with tenant_scope(tenant.pk):
        made = Limit.objects.get(kind="signals_per_day")
        assert OperatorAction.objects.filter(object_kind="limit").count() == 1
    assert (made.amount, made.changed_by) == (1000, superuser.username)  # type: ignore[attr-defined]
    shown = operator(tenant).get(page_of(tenant)).content.decode()
    assert "signals_per_day" in shown
    assert "live_runs" in shown
    assert "needs an amount" in superuser.post(add, said | {"amount": ""}).content.decode()
