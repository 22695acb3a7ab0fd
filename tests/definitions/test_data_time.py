"""Data schemas that cost: checked within bounds, and refused with a clear fault. Nothing is started."""

import time
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.journeys import GRACE
from workflows.definitions import data_schema
from workflows.definitions.data_schema import data_faults, patience

LIMIT = 0.1
DIFFERENT = {"items": [{"n": number} for number in range(15_000)]}
COSTLY: dict[str, Any] = {
    "many schemas for each": {"properties": {"items": {"items": {"allOf": [{"type": "object"}] * 2_000}}}},
    "many choices": {"properties": {"items": {"items": {"enum": [{"x": number} for number in range(5_000)]}}}},
}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_schema, "CHECK_SECONDS", LIMIT)


@pytest.mark.parametrize("schema", COSTLY.values(), ids=COSTLY)
def test_what_takes_too_long_is_a_fault(schema: dict[str, Any]) -> None:
    began = time.thread_time()

    faults = data_faults({"data_schema": schema}, DIFFERENT)

    assert [found["code"] for found in faults] == ["data_schema"]
    assert "takes too long" in faults[0]["message"]
    assert time.thread_time() - began < LIMIT + 1


def test_many_runs_of_one_call_have_no_more_time_than_one() -> None:
    began = time.thread_time()

    with patience():
        faults = [data_faults({"data_schema": COSTLY["many choices"]}, DIFFERENT) for _ in range(5)]

    assert all(found[0]["code"] == "data_schema" for found in faults)
    assert time.thread_time() - began < LIMIT + 1


def test_it_starts_nothing(rest: APIClient) -> None:
    document = {**GRACE, "data_schema": COSTLY["many choices"]}
    assert rest.post("/v1/definitions", document).status_code == 201
    assert rest.post(f"/v1/definitions/{GRACE['key']}/versions/1/publish").status_code == 200

    answer = rest.post("/v1/runs", {"workflow": GRACE["key"], "subject": "ada", "data": DIFFERENT})

    assert (answer.status_code, answer.json()["detail"][0]["code"]) == (400, "data_schema")
    assert rest.get("/v1/runs").json()["items"] == []


@pytest.mark.parametrize(("items", "unique"), [([1, 1.0], False), ([1, True], True), ([{"a": 1}, {"a": 1.0}], False)])
def test_items_are_alike_as_json_schema_says(items: list[Any], unique: bool) -> None:
    document = {"data_schema": {"properties": {"items": {"uniqueItems": True}}}}

    assert (data_faults(document, {"items": items}) == []) is unique
    assert data_faults(document, DIFFERENT) == []  # 15,000 of them, each compared with each, took minutes
