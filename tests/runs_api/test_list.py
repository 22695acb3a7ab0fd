"""GET /v1/runs: filters and pages."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from tenants.models import Tenant
from tests.journeys import GRACE, drain, paid, publish, start


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
