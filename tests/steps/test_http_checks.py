"""Faults of an `http` step, each with its place."""

from typing import Any

import pytest

from tenants.models import Tenant
from tenants.services.secrets import put_secret
from workflows.definitions.validate import validate

GOOD = {"key": "call", "kind": "http", "url": "https://api.example.com/x"}


def faults(step: dict[str, Any], tenant_id: int | None = None, **more: Any) -> list[tuple[str, str]]:
    document = {"key": "calling", "correlation": ["order"], "steps": [GOOD | step], **more}
    return [(one["path"], one["code"]) for one in validate(document, tenant_id)]


@pytest.mark.parametrize(
    "step",
    [
        {},
        {"url": "http://api.example.com:8080/{{data.id}}?q={{ run.correlation.order }}"},
        {"method": "GET", "expect": [200, 404], "timeout": "PT30S", "answer": "found"},
        {"body": "data.order", "headers": {"X-A": {"const": "b"}, "X-B": {"secret": "crm"}}, "sign": "crm"},
        {"text": "Hello {{ data.name }}", "at_most_once": True, "retry": {"max_attempts": 2}},
        {"on_outcome": {"succeeded": "next", "unknown": "complete", "permanent_failure": {"stop": "no"}}},
    ],
)
def test_what_is_right_has_no_fault(step: dict[str, Any]) -> None:
    assert faults(step) == []


WRONG = [
    ({"url": "ftp://api.example.com/"}, "/url", "url"),
    ({"url": "https://{{ data.host }}/x"}, "/url", "url"),
    ({"url": "https://api.{{ data.host }}/x"}, "/url", "url"),
    ({"url": "https://api.example.com{{ data.path }}"}, "/url", "url"),
    ({"url": "{{ data.url }}"}, "/url", "url"),
    ({"url": "https://api.example.com/a b"}, "/url", "url"),
    ({"url": "https://api.example.com/é"}, "/url", "url"),
    ({"url": "https://api.example.com/{{ data.x"}, "/url", "url"),
    ({"url": "https://api.example.com/{{ data.x | upcase }}"}, "/url", "path"),
    ({"url": "https://api.example.com/{{ run.correlation.unknown }}"}, "/url", "path"),
    ({"url": "https://user:pass@api.example.com/"}, "/url", "address_refused"),
    ({"url": "https://169.254.169.254/latest"}, "/url", "address_refused"),
    ({"url": "https://0x7f000001/"}, "/url", "address_refused"),
    ({"url": "https://example.com:22/"}, "/url", "address_refused"),
    ({"method": "TRACE"}, "/method", "choice"),
    ({"method": "GET", "body": "data.x"}, "/body", "conflict"),
    ({"body": "data.x", "text": "x"}, "/text", "conflict"),
    ({"body": {"a": "signal.x"}}, "/body/a", "path"),
    ({"text": "{{ other.x }}"}, "/text", "template_fault"),
    ({"headers": {"Host": {"const": "x"}}}, "/headers/Host", "header"),
    ({"headers": {"Idempotency-Key": {"const": "x"}}}, "/headers/Idempotency-Key", "header"),
    ({"headers": {"X Y": {"const": "x"}}}, "/headers/X Y", "header"),
    ({"headers": {"X-Y": "gone.x"}}, "/headers/X-Y", None),
    ({"timeout": "PT31S"}, "/timeout", "duration"),
    ({"timeout": "PT0S"}, "/timeout", "duration"),
    ({"expect": []}, "/expect", "size"),
    ({"expect": [99]}, "/expect/0", "size"),
    ({"answer": "Not A Key"}, "/answer", None),
    ({"on_outcome": {"delivered": "next"}}, "/on_outcome/delivered", "unknown_key"),
    ({"follow": True}, "/follow", "unknown_key"),
]


@pytest.mark.parametrize(("step", "place", "code"), WRONG)
def test_every_fault_has_its_place(step: dict[str, Any], place: str, code: str | None) -> None:
    found = faults(step)

    assert [path for path, _ in found] == [f"/steps/0{place}"], found
    assert code is None or found[0][1] == code


def test_a_secret_must_be_there(tenant: Tenant, other_tenant: Tenant) -> None:
    put_secret(tenant_id=tenant.pk, key="crm", value="v")
    step = {"sign": "crm", "headers": {"A": {"secret": "crm"}}}

    assert faults(step, tenant.pk) == []
    assert [path for path, _ in faults(step, other_tenant.pk)] == ["/steps/0/headers/A/secret", "/steps/0/sign"]


def test_an_answer_may_not_hide_what_runs_start_with() -> None:
    declared = {"type": "object", "properties": {"order": {"type": "object"}}}

    assert faults({"answer": "order"}, data_schema=declared) == [("/steps/0/answer", "conflict")]
    assert faults({"answer": "found"}, data_schema=declared) == []
