"""GET /v1/runs: filters and pages."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import BooleanField
from django.db.models.expressions import RawSQL
from rest_framework.test import APIClient

from chimeway_py.errors import ChimewayError
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import GRACE, drain, paid, publish, start
from workflows.querysets import RunQuerySet
from workflows.services import wide_search
from workflows.services.bulk_control import plan_control
from workflows.services.cancel_by_key import Key, cancel_by_key
from workflows.services.run_selection import Selection


@pytest.fixture(autouse=True)
def _runs(tenant: Tenant) -> None:
    """Of four runs ada's and eve's wait at grace, bob's is completed, and zoe's has not begun."""
    publish(tenant, GRACE)
    publish(tenant, GRACE | {"key": "other"})
    start(tenant, "dunning", "bob", correlation={"invoice_id": "2"})
    start(tenant, "other", "eve", correlation={"invoice_id": "3"})
    drain(tenant)
    paid(tenant, "2")
    drain(tenant)
    start(tenant, "dunning", "ada", correlation={"invoice_id": "1"})
    drain(tenant)
    start(tenant, "dunning", "zoe")


def subjects(rest: APIClient, query: str) -> list[str]:
    response = rest.get(f"/v1/runs?{query}")
    assert response.status_code == 200, response.content
    return [run["subject"] for run in response.json()["items"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["zoe", "ada", "eve", "bob"]),
        ("workflow=dunning", ["zoe", "ada", "bob"]),
        ("state=waiting", ["ada", "eve"]),
        ("state=completed", ["bob"]),
        ("state=pending", ["zoe"]),
        ("subject=ada", ["ada"]),
        ("waiting_on=invoice.paid", ["ada", "eve"]),
        ("waiting_on=invoice.paid&workflow=other", ["eve"]),
        ("waiting_on=invoice.disputed", []),  # only later waits listen for it
        ("correlation.invoice_id=1", ["ada"]),
        ("correlation.invoice_id=1&subject=eve", []),
        ("correlation.nothing=1", []),
        ("due_before=2031-01-01T00:00:00Z", ["zoe", "ada", "eve"]),
        ("due_before=2020-01-01T00:00:00Z", []),
        ("created_after=2020-01-01T00:00:00%2B01:00&limit=1", ["zoe"]),
        ("created_before=2020-01-01T00:00:00+01:00", []),  # a plus that nobody escaped
        ("limit=0", []),
    ],
)
def test_filters(rest: APIClient, query: str, expected: list[str]) -> None:
    assert subjects(rest, query) == expected


def test_pages_join(rest: APIClient) -> None:
    found: list[str] = []
    cursor = ""
    while True:
        page = rest.get(f"/v1/runs?limit=3&cursor={cursor}").json()
        found += [run["subject"] for run in page["items"]]
        if page["next"] is None:
            break
        cursor = page["next"]

    assert found == ["zoe", "ada", "eve", "bob"]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("status=waiting", "/status"),  # the name of our ancestors: refused, not ignored
        ("correlation.Invoice=1", "/correlation.Invoice"),
        ("correlation=1", "/correlation"),
        ("state=asleep", "/state"),
        ("due_before=tomorrow", "/due_before"),
        ("created_after=2026-01-01", "/created_after"),
        ("created_before=2026-01-01T00:00:00", "/created_before"),
        ("limit=201", "/limit"),
        ("cursor=abc", "/cursor"),
        ("subject=a&subject=b", "/subject"),
        ("subject=%00", "/subject"),
    ],
)
def test_what_means_nothing_is_refused(rest: APIClient, query: str, path: str) -> None:
    response = rest.get(f"/v1/runs?{query}")

    assert response.status_code == 400
    assert [one["path"] for one in response.json()["detail"]] == [path]


def test_a_run_shows_structure_and_no_payload(tenant: Tenant, rest: APIClient) -> None:
    start(tenant, "dunning", "mia", data={"secret": "canary-7f3a"}, correlation={"invoice_id": "9"})

    response = rest.get("/v1/runs?subject=mia")

    (shown,) = response.json()["items"]
    assert (shown["workflow"], shown["version"], shown["state"], shown["reason"]) == (
        "dunning",
        1,
        "pending",
        "created",
    )
    assert "canary" not in response.content.decode()


def test_another_tenant_sees_none(other_tenant: Tenant, client_of: Any) -> None:
    assert client_of(other_tenant).get("/v1/runs").json() == {"items": [], "next": None}


def test_a_search_that_takes_too_long_is_ended_and_says_how_to_narrow_it(
    tenant: Tenant, rest: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wide_search, "MOST_MILLISECONDS", 50)
    slow = RawSQL("pg_sleep(5) IS NOT NULL", [], output_field=BooleanField())
    monkeypatch.setattr(RunQuerySet, "for_tenant", lambda rows, tenant_id: rows.filter(slow, tenant_id=tenant_id))
    selection, key = Selection(correlation={"invoice_id": "1"}), Key(correlation={"invoice_id": "1"})

    answer = rest.get("/v1/runs?correlation.invoice_id=1")

    assert (answer.status_code, answer.json()["code"]) == (400, "search_too_wide")
    assert answer.json()["detail"] == {"narrow_by": ["subject", "state", "waiting_on", "due_before"]}
    with pytest.raises(wide_search.SearchTooWide):
        plan_control(tenant_id=tenant.pk, action="cancel", selection=selection)
    with pytest.raises(wide_search.SearchTooWide):
        cancel_by_key(tenant_id=tenant.pk, key=key, cause="api", cause_ref="", reason="")
    with pytest.raises(CommandError, match="Too many runs"):
        listed(tenant, "--correlation", "invoice_id=1")


def test_the_limit_of_a_search_ends_with_it(tenant: Tenant) -> None:
    def limit() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            return str(cursor.fetchone()[0])

    with tenant_scope(tenant.pk):
        before = limit()
        with wide_search.bounded_search():
            within = limit()
        after = limit()
        with pytest.raises(ChimewayError), wide_search.bounded_search():
            raise ChimewayError
        refused = limit()

    assert (within, after, refused) == ("2s", before, before)


def test_the_command_lists_by_correlation(tenant: Tenant) -> None:
    assert [line.split()[-1] for line in listed(tenant, "--correlation", "invoice_id=1")] == ["ada"]


def listed(tenant: Tenant, *words: str) -> list[str]:
    written = StringIO()
    call_command("runs", "list", *words, "--tenant", tenant.slug, stdout=written)
    return written.getvalue().splitlines()
