"""Pages by cursor."""

import base64
import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from signals_app.services import NewSignal, accept_signals
from tenants.models import Tenant


@pytest.fixture
def five(tenant: Tenant) -> list[str]:
    """External ids of five signals, newest first."""
    names = ["a", "b", "c", "d", "e"]
    accept_signals(tenant_id=tenant.pk, signals=[NewSignal("x", external_id=name) for name in names])
    return names[::-1]


def ids(answer: Any) -> list[str]:
    return [item["external_id"] for item in answer.json()["items"]]


def test_pages_neither_skip_nor_repeat_while_rows_are_added(rest: APIClient, tenant: Tenant, five: list[str]) -> None:
    first = rest.get("/v1/signals", {"limit": 2})
    accept_signals(tenant_id=tenant.pk, signals=[NewSignal("x", external_id="new")])
    second = rest.get("/v1/signals", {"limit": 2, "cursor": first.json()["next"]})
    third = rest.get("/v1/signals", {"limit": 2, "cursor": second.json()["next"]})

    assert ids(first) + ids(second) + ids(third) == five
    assert third.json()["next"] is None


def test_a_full_last_page_has_no_next(rest: APIClient, five: list[str]) -> None:
    assert rest.get("/v1/signals", {"limit": 5}).json()["next"] is None


def test_limit_0_is_an_empty_page(rest: APIClient, five: list[str]) -> None:
    assert rest.get("/v1/signals", {"limit": 0}).json() == {"items": [], "next": None}


@pytest.mark.parametrize("limit", ["-1", "201", "x", "", "1.0", "1e2", "²", "9" * 400, "0x1", " 1"])
def test_a_bad_limit_is_400(rest: APIClient, limit: str) -> None:
    answer = rest.get("/v1/signals", {"limit": limit})

    assert answer.status_code == 400
    assert answer.json()["detail"][0]["path"] == "/limit"


def cursor_of(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "AAAA",
        cursor_of(5),
        cursor_of(["-id", "5"]),
        cursor_of(["-id", 2**63]),
        cursor_of(["-id", -1]),
        cursor_of(["-id", True]),
        cursor_of(["id", 5]),  # of a list in the other order
        cursor_of(["-id", 5, 6]),
        cursor_of("[" * 500),
        "A" * 5000,
    ],
)
def test_a_bad_cursor_is_400(rest: APIClient, cursor: str) -> None:
    answer = rest.get("/v1/signals", {"cursor": cursor})

    assert answer.status_code == 400
    assert answer.json()["detail"][0]["path"] == "/cursor"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("colour=red", "unknown_filter"),
        ("limit=1&limit=2", "repeated"),
        ("name=%00", "nul"),
        ("offset=1", "unknown_filter"),
    ],
)
def test_a_query_that_means_nothing_here_is_400(rest: APIClient, query: str, code: str) -> None:
    answer = rest.get(f"/v1/signals?{query}")

    assert (answer.status_code, answer.json()["detail"][0]["code"]) == (400, code)
