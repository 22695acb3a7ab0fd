"""Faults of deliver steps, found when a definition is saved; and templates pushed from files."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from deliveries.models import Template
from deliveries.services import put_endpoint, put_template
from deliveries.steps.deliver import DeliverStep
from tenants.models import Tenant
from tenants.scope import tenant_scope
from workflows.definitions.validate import validate

HELLO = {"hello": {"subject": "S", "text": "t"}}

FAULTS: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    # (the step's own keys, templates, path of the fault, its code or a word of its message)
    ({"channel": "smoke", "template": "hello"}, HELLO, "/steps/0/channel", "choice"),
    ({"template": "hello"}, HELLO, "/steps/0", "channel"),
    ({"channel": "email"}, HELLO, "/steps/0", "template"),
    ({"channel": "in_app"}, HELLO, "/steps/0", "template"),
    ({"channel": "webhook"}, HELLO, "/steps/0", "endpoint"),
    ({"channel": "email", "template": "hello", "endpoint": "e"}, HELLO, "/steps/0/endpoint", "unknown_key"),
    ({"channel": "email", "template": "hello", "data": {"a": "data.a"}}, HELLO, "/steps/0/data", "unknown_key"),
    ({"channel": "webhook", "endpoint": "e", "to": "data.x"}, HELLO, "/steps/0/to", "unknown_key"),
    ({"channel": "email", "template": "hello", "colour": "red"}, HELLO, "/steps/0", "colour"),
    ({"channel": "email", "template": "hello", "to": "email"}, HELLO, "/steps/0/to", "path"),
    ({"channel": "email", "template": "hello", "to": "signal.data.email"}, HELLO, "/steps/0/to", "path"),
    ({"channel": "email", "template": "hello", "to": "run.correlation.nope"}, HELLO, "/steps/0/to", "path"),
    ({"channel": "email", "template": "hello", "to": {"const": ""}}, HELLO, "/steps/0/to", ""),
    ({"channel": "in_app", "template": "hello", "data": {"a": "run.nope"}}, HELLO, "/steps/0/data/a", "path"),
    ({"channel": "email", "template": "hello", "retry": {"max_attempts": 0}}, HELLO, "/steps/0/retry/max_attempts", ""),
    ({"channel": "email", "template": "hello", "retry": {"backoff": "wild"}}, HELLO, "/steps/0/retry/backoff", ""),
    ({"channel": "email", "template": "hello", "retry": {"initial": "soon"}}, HELLO, "/steps/0/retry/initial", ""),
    ({"channel": "email", "template": "hello", "at_most_once": "maybe"}, HELLO, "/steps/0/at_most_once", ""),
    ({"channel": "email", "template": "hello", "on_outcome": {"eaten": "next"}}, HELLO, "/steps/0/on_outcome", ""),
    ({"channel": "email", "template": "other"}, HELLO, "/steps/0/template", "unknown_template"),
    ({"channel": "webhook", "endpoint": "other"}, HELLO, "/steps/0/endpoint", "unknown_endpoint"),
    ({"channel": "email", "template": "hello"}, {"hello": {"text": "{{ x"}}, "/templates/hello/text", "template_fault"),
    ({"channel": "email", "template": "hello"}, {"hello": {"text": "{{ name }}"}}, "/templates/hello/text", "name"),
    (
        {"channel": "email", "template": "hello"},
        {"hello": {"text": "t", "html": "{{ data.x | nope }}"}},
        "/templates/hello/html",
        "unknown filter",
    ),
]


def faults_of(tenant: Tenant, templates: dict[str, Any], *steps: dict[str, Any]) -> list[dict[str, str]]:
    named = [{"key": f"s{n}", "kind": "deliver", **step} for n, step in enumerate(steps)]
    with tenant_scope(tenant.pk):
        return validate({"key": "d", "steps": named, "templates": templates}, tenant.pk)


@pytest.mark.parametrize(("step", "templates", "path", "words"), FAULTS)
def test_every_fault_has_its_place(
    step: dict[str, Any], templates: dict[str, Any], path: str, words: str, tenant: Tenant
) -> None:
    faults = faults_of(tenant, templates, step)

    assert any(one["path"].startswith(path) and words in f"{one['code']} {one['message']}" for one in faults), faults


def test_a_step_without_faults_has_none(tenant: Tenant) -> None:
    put_template(tenant_id=tenant.pk, key="stored", channel="email", text="t")
    put_endpoint(tenant_id=tenant.pk, key="pager", url="https://example.com/")

    faults = faults_of(
        tenant,
        HELLO,
        {"channel": "in_app", "template": "hello", "to": "data.lead", "data": {"n": "data.n", "c": {"const": "x"}}},
        {"channel": "email", "template": "stored", "to": {"const": "ops@example.com"}, "at_most_once": True},
        {"channel": "webhook", "endpoint": "pager", "data": {"n": "run.subject"}},
        {"channel": "webhook", "endpoint": "pager", "template": "hello", "retry": {"max": "PT1H", "backoff": "linear"}},
    )

    assert faults == []


def test_a_stored_template_serves_its_own_channel_and_tenant_only(tenant: Tenant, other_tenant: Tenant) -> None:
    put_template(tenant_id=tenant.pk, key="stored", channel="email", text="t")

    codes = [
        [one["code"] for one in faults_of(owner, {}, {"channel": channel, "template": "stored"})]
        for owner, channel in [(tenant, "email"), (tenant, "in_app"), (other_tenant, "email")]
    ]

    assert codes == [[], ["unknown_template"], ["unknown_template"]]


def test_a_template_used_twice_is_faulty_once(tenant: Tenant) -> None:
    step = {"channel": "email", "template": "hello"}

    assert len(faults_of(tenant, {"hello": {"text": "{{ x"}}, step, step)) == 1


def test_without_a_tenant_nothing_stored_is_looked_up() -> None:
    step = {"key": "s", "kind": "deliver", "channel": "email", "template": "anything"}

    assert validate({"key": "d", "steps": [step]}) == []


def test_the_kind_names_every_outcome_that_a_run_may_be_told() -> None:
    assert DeliverStep.outcomes == {
        "delivered",
        "suppressed",
        "temporary_failure",
        "retries_exhausted",
        "permanent_failure",
        "bounced",
        "unknown",
    }


FILE = """
welcome:
  email: {subject: "Hello {{ data.name }}", text: "Dear {{ data.name }}", html: "<p>{{ data.name }}</p>"}
  in_app: {subject: Hello, text: Welcome}
"""


def stored(tenant: Tenant) -> list[tuple[str, str]]:
    with tenant_scope(tenant.pk):
        rows = Template.objects.filter(tenant_id=tenant.pk).order_by("key", "channel")
        return list(rows.values_list("key", "channel"))


def push(tenant: Tenant, *paths: Path) -> str:
    said = StringIO()
    call_command("templates", "push", "--tenant", tenant.slug, *map(str, paths), stdout=said, stderr=said)
    return said.getvalue()


def test_templates_are_pushed_from_files(tenant: Tenant, tmp_path: Path) -> None:
    (tmp_path / "welcome.yaml").write_text(FILE)

    first, second = push(tenant, tmp_path), push(tenant, tmp_path)

    assert stored(tenant) == [("welcome", "email"), ("welcome", "in_app")]
    assert (first.count("created"), second.count("created"), second.count("stored")) == (2, 0, 2)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("bad: {email: {text: '{{ x'}}", "/bad/email/text"),
        ("bad: {smoke: {text: t}}", "/bad/smoke/channel"),
        ("bad: {email: {body: t}}", "/bad/email"),
        ("bad: {email: {text: 7}}", "/bad/email"),
        ("bad: words", "/bad"),
        ("- a list", ""),
    ],
)
def test_one_faulty_file_stores_nothing(text: str, place: str, tenant: Tenant, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(FILE)
    (tmp_path / "b.yaml").write_text(text)
    said = StringIO()

    with pytest.raises(CommandError):
        call_command("templates", "push", "--tenant", tenant.slug, str(tmp_path), stdout=StringIO(), stderr=said)

    assert f"b.yaml:{place}: " in said.getvalue()
    assert stored(tenant) == []


def test_an_unknown_tenant_and_a_missing_file_are_told(tenant: Tenant, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No tenant"):
        call_command("templates", "push", "--tenant", "nobody-of-that-name", str(tmp_path))
    with pytest.raises(CommandError, match="Faults: 1"):
        push(tenant, tmp_path / "missing.yaml")
