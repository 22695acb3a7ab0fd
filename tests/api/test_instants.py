"""Instants that a calendar can tell and PostgreSQL or UTC cannot: refused by path, never a 500."""

import base64
import json

import pytest
from rest_framework.test import APIClient

from tests.journeys import GRACE

INSTANTS = [
    "0214-05-14T22:13:38+20:10",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00",
    "2026-02-30T00:00:00Z",
]


@pytest.mark.parametrize("instant", INSTANTS)
def test_an_instant_that_nobody_can_store_is_refused_by_path(instant: str, rest: APIClient) -> None:
    rest.post("/v1/definitions", GRACE)
    rest.post(f"/v1/definitions/{GRACE['key']}/versions/1/publish")
    condition = {"started_before": instant}
    plan = base64.urlsafe_b64encode(json.dumps(["cancel", condition, 1, 0]).encode()).decode()

    answers = {
        "/planned_after": rest.get("/v1/deliveries", {"planned_after": instant}),
        "/created_before": rest.get("/v1/runs", {"created_before": instant}),
        "/at": rest.post("/v1/runs", {"workflow": GRACE["key"], "subject": "ada", "at": instant}),
        "/plan": rest.post("/v1/runs/bulk", {"action": "cancel", "plan": plan, "reason": "a test"}),
    }

    told = {path: (answer.status_code, answer.json().get("detail")) for path, answer in answers.items()}
    assert {path for path, (status, _) in told.items() if status >= 500} == set()
    if not instant.startswith("0214"):  # UTC can tell that one
        assert {path: (status, detail[0]["path"]) for path, (status, detail) in told.items()} == {
            path: (400, path) for path in answers
        }
