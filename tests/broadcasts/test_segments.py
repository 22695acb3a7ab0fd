"""Segments: stored conditions, counted, and walked through when a broadcast starts."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from deliveries.broadcasts import turn
from tests.broadcasts.conftest import HEADLINE, Sender
from tests.journeys import publish

PRO = {"path": "recipient.attributes.plan", "eq": "pro"}


def test_a_segment_is_whoever_meets_it_when_it_starts(
    sender: Sender, people: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "WALKED", 2)
    people(**{f"p{n}": {"plan": "pro" if n % 2 else "free"} for n in range(7)})
    assert sender.rest.put("/v1/segments/pro", {"condition": PRO, "name": "Paying"}).status_code == 201
    made = sender.make(segment="pro", data=HEADLINE)
    seen = sender.preview(made["id"])
    sender.rest.put("/v1/segments/pro", {"condition": {"path": "recipient.zone", "eq": "UTC"}})
    sender.start(made["id"])
    people(p0={"plan": "pro"}, late={"plan": "pro"})

    sender.go_on()

    assert (seen["total"], seen["is_whole"], seen["first"]) == (3, True, ["p1", "p3", "p5"])
    shown = sender.shown(made["id"])
    assert (shown["status"], shown["total"], shown["segment"]) == ("completed", 4, "pro")
    assert sorted(run.subject for run in sender.runs()) == ["p0", "p1", "p3", "p5"], "late came after the start"
    assert sender.targets(made["id"], "?subject=late") == []


def test_a_segment_with_a_time_is_whoever_meets_it_at_that_time(sender: Sender, people: Callable[..., None]) -> None:
    people(p0={"plan": "pro"}, p1={"plan": "free"})
    sender.rest.put("/v1/segments/pro", {"condition": PRO})
    made = sender.make(segment="pro", data=HEADLINE)
    sender.start(made["id"], at="2999-01-01T00:00:00Z")
    people(late={"plan": "pro"})
    sender.go_on()
    before = sender.runs()
    sender.change(due_at=datetime.now(UTC))
    sender.go_on()

    assert before == []
    assert sorted(run.subject for run in sender.runs()) == ["late", "p0"]
    for word in ("pending", "zzz", ""):
        refused = sender.rest.get(f"/v1/broadcasts/{made['id']}/targets?outcome={word}")
        assert (refused.status_code, refused.json()["detail"][0]["path"]) == (400, "/outcome")


def test_a_segment_of_nobody_completes(sender: Sender) -> None:
    sender.rest.put("/v1/segments/pro", {"condition": PRO})
    made = sender.make(segment="pro", data=HEADLINE)
    sender.start(made["id"])
    sender.go_on()

    assert sender.shown(made["id"])["sentence"] == "Completed: 0 of 0 started."


def test_segments_are_kept_counted_and_forgotten(sender: Sender, people: Callable[..., None]) -> None:
    people(ada={"plan": "pro"}, bob={})
    sender.rest.put("/v1/segments/pro", {"condition": PRO})

    assert sender.rest.get("/v1/segments/pro/count").json() == {
        "matches": 1,
        "looked_at": 2,
        "is_whole": True,
        "sample": ["ada"],
    }
    assert [one["key"] for one in sender.rest.get("/v1/segments").json()["items"]] == ["pro"]
    assert sender.rest.delete("/v1/segments/pro").status_code == 204
    assert sender.rest.get("/v1/segments/pro").json()["code"] == "segment_not_found"
    asked = {"workflow": "news", "segment": "pro"}
    assert sender.rest.post("/v1/broadcasts", asked).json()["code"] == "segment_not_found"


@pytest.mark.parametrize(
    ("condition", "path"),
    [
        ({}, "/condition"),
        ({"path": "data.plan", "eq": "pro"}, "/condition/path"),
        ({"path": "recipient.attributes.plan", "like": "pro"}, "/condition"),
        ({"all": [{"path": "recipient.zone", "in": []}]}, "/condition/all/0/in"),
    ],
)
def test_a_bad_condition_is_refused_by_its_path(sender: Sender, condition: Any, path: str) -> None:
    answer = sender.rest.put("/v1/segments/pro", {"condition": condition})

    assert (answer.status_code, answer.json()["detail"][0]["path"]) == (400, path)
    assert sender.rest.get("/v1/segments").json()["items"] == []


def test_a_preview_asks_the_preferences(sender: Sender) -> None:
    sender.rest.put("/v1/recipients/bob/preferences", {"rules": [{"workflow": "news", "allowed": False}]})
    made = sender.make(subjects=["ada", "bob"], data=HEADLINE)

    assert sender.preview(made["id"])["held_back"] == {"tell": 1}


@pytest.mark.parametrize(("required", "held"), [(False, {"tell": 1}), (True, {"other": 1})])
def test_a_preview_asks_about_the_category_of_the_definition(
    sender: Sender, required: bool, held: dict[str, int]
) -> None:
    sender.rest.put("/v1/categories/offers", {"required": required})
    sender.rest.put("/v1/categories/bills", {})
    tell = {"kind": "deliver", "channel": "in_app", "template": "hello"}
    steps = [{"key": "tell", **tell}, {"key": "other", **tell, "category": "bills"}]
    words = {"hello": {"title": "a", "text": "b"}}
    publish(sender.tenant, {"key": "offers", "category": "offers", "templates": words, "steps": steps})
    refused = [{"category": "offers", "allowed": False}] if not required else [{"workflow": "offers", "allowed": False}]
    sender.rest.put("/v1/recipients/bob/preferences", {"rules": refused})
    made = sender.make(workflow="offers", subjects=["ada", "bob"])

    assert sender.preview(made["id"])["held_back"] == held


def test_a_preview_counts_those_without_an_address_for_themselves(sender: Sender) -> None:
    mail = {"kind": "deliver", "channel": "email", "template": "hello"}
    steps = [
        {"key": "mail", **mail},
        {"key": "found", **mail, "to": "steps.mail.to"},
        {"key": "tell", "kind": "deliver", "channel": "in_app", "template": "hello"},
    ]
    words = {"hello": {"subject": "a", "title": "a", "text": "b"}}
    publish(sender.tenant, {"key": "mailed", "templates": words, "steps": steps})
    for subject, email in (("ada", "ada@example.com"), ("bob", "bob@example.com"), ("cyd", None)):
        sender.rest.put(f"/v1/recipients/{subject}", {"addresses": {"email": email} if email else {}})
    for subject in ("bob", "cyd"):
        sender.rest.put(f"/v1/recipients/{subject}/preferences", {"rules": [{"channel": "email", "allowed": False}]})
    made = sender.make(workflow="mailed", subjects=["ada", "bob", "cyd", "dan"])

    seen = sender.preview(made["id"])

    assert (seen["held_back"], seen["without_address"]) == ({"mail": 1, "found": 2}, {"mail": 2})
