"""Mapping a sender's own body to a signal."""

from datetime import UTC, datetime
from typing import Any

import pytest

from chimeway_py.errors import Invalid
from signals_app.mapping import check_mapping, map_signal
from signals_app.services import NewSignal

STRIPE = {
    "name": "type",
    "subject": "data.object.customer",
    "correlation": {"invoice_id": "data.object.id", "line": "data.object.lines.0.sku", "kind": {"const": "invoice"}},
    "external_id": "id",
    "occurred_at": "created",
}
EVENT: dict[str, Any] = {
    "id": "evt_1",
    "type": "invoice.paid",
    "created": 1_763_640_000,
    "data": {"object": {"id": "in_1", "customer": 42, "lines": [{"sku": "a"}]}},
}


def mapped(mapping: dict[str, Any], body: dict[str, Any], **given: Any) -> NewSignal:
    rest = {"name_map": {}, "source": "up", "default_external_id": "header:webhook-id", "headers": {}} | given
    return map_signal(mapping=mapping, body=body, **rest)


def test_a_body_is_mapped_by_its_paths() -> None:
    signal = mapped(STRIPE, EVENT)

    assert (signal.name, signal.subject, signal.external_id, signal.source) == ("invoice.paid", "42", "evt_1", "up")
    assert signal.correlation == {"invoice_id": "in_1", "line": "a", "kind": "invoice"}
    assert signal.occurred_at == datetime(2025, 11, 20, 12, 0, tzinfo=UTC)
    assert signal.data == EVENT


def test_headers_and_names_of_the_sender() -> None:
    headers = {"X-GitHub-Event": "pull_request", "X-GitHub-Delivery": "d-1"}
    signal = mapped(
        {"name": "header:X-GitHub-Event"},
        {"action": "closed"},
        headers=headers,
        name_map={"pull_request": "github.pull_request"},
        default_external_id="header:X-GitHub-Delivery",
    )

    assert (signal.name, signal.external_id) == ("github.pull_request", "d-1")


def test_what_an_event_does_not_have_is_left_out() -> None:
    signal = mapped(STRIPE, {"id": "e", "type": "ping", "data": {"object": None}})

    assert (signal.subject, signal.correlation, signal.occurred_at) == ("", {"kind": "invoice"}, None)


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ({"id": "e"}, "/type", "missing"),
        ({"id": "e", "type": None}, "/type", "missing"),
        ({"id": "e", "type": ""}, "/type", "missing"),
        ({"id": "e", "type": {"a": 1}}, "/type", "bad_type"),
        ({"id": "e", "type": 1.5}, "/type", "bad_type"),
        ({"type": "a"}, "/id", "missing"),
        ({"id": "e", "type": "a", "data": {"object": {"customer": ["x"]}}}, "/data/object/customer", "bad_type"),
        ({"id": "e", "type": "a", "created": "yesterday"}, "/created", "bad_time"),
        ({"id": "e", "type": "a", "created": "2026-11-20T12:00:00"}, "/created", "bad_time"),  # no offset
        ({"id": "e", "type": "a", "created": "2026-02-30T12:00:00Z"}, "/created", "bad_time"),
        ({"id": "e", "type": "a", "created": True}, "/created", "bad_time"),
        ({"id": "e", "type": "a", "created": 10**17}, "/created", "bad_time"),
    ],
)
def test_a_part_that_is_wrong_is_refused_by_its_path(body: dict[str, Any], path: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        mapped(STRIPE, body)

    assert [(found["path"], found["code"]) for found in refused.value.detail] == [(path, code)]


@pytest.mark.parametrize(
    ("mapping", "name_map", "path"),
    [
        ([], {}, "/mapping"),
        ({}, {}, "/mapping/name"),
        ({"name": "type", "nmae": "x"}, {}, "/mapping/nmae"),
        ({"name": 5}, {}, "/mapping/name"),
        ({"name": ""}, {}, "/mapping/name"),
        ({"name": "a..b"}, {}, "/mapping/name"),
        ({"name": "a b"}, {}, "/mapping/name"),
        ({"name": "header:X Y"}, {}, "/mapping/name"),
        ({"name": {"const": 5}}, {}, "/mapping/name"),
        ({"name": {"path": "x"}}, {}, "/mapping/name"),
        ({"name": ".".join("a" * 17)}, {}, "/mapping/name"),
        ({"name": "a", "correlation": "x"}, {}, "/mapping/correlation"),
        ({"name": "a", "correlation": {f"k{n}": "x" for n in range(9)}}, {}, "/mapping/correlation"),
        ({"name": "a", "correlation": {"Bad": "x"}}, {}, "/mapping/correlation/Bad"),
        ({"name": "a", "correlation": {"ok": 1}}, {}, "/mapping/correlation/ok"),
        ({"name": "a"}, [], "/name_map"),
        ({"name": "a"}, {"x": "Not A Name"}, "/name_map/x"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused_when_it_is_saved(mapping: Any, name_map: Any, path: str) -> None:
    assert [found["path"] for found in check_mapping(mapping, name_map)] == [path]


def test_a_mapping_that_works_has_no_faults() -> None:
    assert check_mapping(STRIPE, {"x": "a.b"}) == []
