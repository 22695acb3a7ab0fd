"""Pages by cursor."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from chimeway_py.api.cursors import NotACursor, open_cursor, seal_cursor
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


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "AAAA",
        "A" * 32,
        "A" * 5000,
        "W10=",  # []
        "=",
        seal_cursor(5, of="id /v1/signals"),  # of a list in the other order
        seal_cursor(5, of="-id /v1/runs"),
        seal_cursor(5, of="-id /v1/signals")[:-4],
        seal_cursor(5, of="-id /v1/signals") + "!",
    ],
    ids=["a letter", "not ascii", "short", "letters", "long", "a list", "padding", "order", "list", "cut", "more"],
)
def test_a_bad_cursor_is_400(rest: APIClient, cursor: str) -> None:
    answer = rest.get("/v1/signals", {"cursor": cursor})

    assert answer.status_code == 400
    assert answer.json()["detail"][0]["path"] == "/cursor"


@given(value=st.integers(0, 2**63 - 1))
def test_a_cursor_opens_to_what_was_sealed_and_shows_none_of_it(value: int) -> None:
    cursor = seal_cursor(value, of="-id /v1/signals")

    assert open_cursor(cursor, of="-id /v1/signals") == value
    assert value.to_bytes(8) not in base64.urlsafe_b64decode(cursor)
    assert cursor.isascii()


def test_neighbouring_rows_have_cursors_that_have_nothing_in_common() -> None:
    """Their distance would be the number of rows that all tenants made in between."""
    one, two = (base64.urlsafe_b64decode(seal_cursor(value, of="-id /v1/signals")) for value in (1000, 1001))

    assert sum(left == right for left, right in zip(one, two, strict=True)) < 4


def test_a_cursor_outlives_a_change_of_the_secret_key(settings: Any) -> None:
    cursor = seal_cursor(5, of="-id /v1/signals")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]

    assert open_cursor(cursor, of="-id /v1/signals") == 5
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(NotACursor):
        open_cursor(cursor, of="-id /v1/signals")


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
