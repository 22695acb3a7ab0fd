"""Marks on many items: all or none, each told once, however many ask at once."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from deliveries.services import Mark, Marked, mark_items
from tests.deliveries.conftest import Journey
from tests.inbox.conftest import Fill

Told = Callable[[], list[str]]


@pytest.mark.parametrize(("verb", "mark"), [("seen", "seen"), ("read", "read"), ("archive", "archived")])
def test_all_are_marked_once_and_told_once(verb: str, mark: str, rest: APIClient, fill: Fill, told: Told) -> None:
    items = fill(3)
    rest.post(f"/v1/inbox/anna/{items[0].public_id}/{verb}")

    first, again = (rest.post(f"/v1/inbox/anna/{verb}", {"all": True}).json() for _ in range(2))

    assert (first, again) == ({"marked": 2, "more": False}, {"marked": 0, "more": False})
    assert told() == [f"notification.{mark}"] * 3


def test_only_the_named_ones_are_marked(rest: APIClient, fill: Fill, journey: Journey, told: Told) -> None:
    one, two, _ = fill(3)
    asked = {"items": [str(one.public_id), str(two.public_id), str(one.public_id)]}

    assert rest.post("/v1/inbox/anna/read", asked).json() == {"marked": 2, "more": False}
    assert [item.read_at is not None for item in journey.inbox("anna")] == [True, True, False]
    assert told() == ["notification.read"] * 2


def test_an_item_that_is_not_there_marks_none(rest: APIClient, fill: Fill, journey: Journey, told: Told) -> None:
    (mine,) = fill(1)
    (theirs,) = fill(1, "eve")

    for other in (theirs.public_id, uuid.uuid4()):
        answer = rest.post("/v1/inbox/anna/read", {"items": [str(mine.public_id), str(other)]})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    assert {item.read_at for item in journey.inbox("anna") + journey.inbox("eve")} == {None}
    assert told() == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"all": False},
        {"items": []},
        {"items": ["x"]},
        {"all": True, "items": [str(uuid.uuid4())]},
        {"everything": True},
        {"items": [str(uuid.uuid4())] * 201},
    ],
)
def test_what_makes_no_sense_is_refused(body: dict[str, Any], rest: APIClient, fill: Fill, told: Told) -> None:
    fill(1)

    answer = rest.post("/v1/inbox/anna/read", body)

    assert answer.status_code == 400, answer.content
    assert told() == []


def test_more_than_one_call_can_do_is_said(fill: Fill, journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliveries.services.inbox.MOST_MARKED", 2)
    fill(3)

    calls = [mark_items(tenant_id=journey.tenant.pk, subject="anna", mark=Mark.READ) for _ in range(3)]

    assert calls == [Marked(2, more=True), Marked(1, more=False), Marked(0, more=False)]


def test_many_at_once_tell_each_item_once(
    fill: Fill, journey: Journey, told: Told, together: Callable[..., list[Any]]
) -> None:
    items = [item.public_id for item in fill(5)]

    def forwards() -> Marked:
        return mark_items(tenant_id=journey.tenant.pk, subject="anna", mark=Mark.READ, items=items)

    def everything() -> Marked:
        return mark_items(tenant_id=journey.tenant.pk, subject="anna", mark=Mark.READ)

    answers = together(*[forwards, everything] * 5)

    assert sum(answer.marked for answer in answers) == 5
    assert told() == ["notification.read"] * 5
