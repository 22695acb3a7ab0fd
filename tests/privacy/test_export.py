"""Exporting a subject: everything that is held about it, in the clear, to its tenant alone."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from signals_app.subjects import paging
from signals_app.subjects.erase import erase_subject
from signals_app.subjects.export import export_subject
from tenants.models import Tenant
from tenants.models.api_key import Scope
from tests.journeys import send
from tests.privacy.conftest import Known

Lines = list[dict[str, Any]]


def lines_of(tenant: Tenant, subject: str) -> Lines:
    return [json.loads(line) for line in export_subject(tenant_id=tenant.pk, subject=subject)]


def kinds(lines: Lines) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in lines:
        found[line["kind"]] = found.get(line["kind"], 0) + 1
    return found


@pytest.fixture
def ada(tenant: Tenant, make_known: Callable[..., Known]) -> Known:
    return make_known(tenant, "ada", "kX9canary51")


def test_an_export_tells_all_that_is_held(ada: Known) -> None:
    lines = lines_of(ada.tenant, ada.subject)

    found = kinds(lines)
    assert (found["run"], found["delivery"], found["inbox_item"], found["payload"]) == (2, 4, 2, 2)
    assert found["signal"] >= 4
    assert lines[-1] == {"kind": "end", "lines": len(lines) - 1}
    bodies = [line["body"] for line in lines if line["kind"] == "payload"]
    assert {"secret": ada.secret} in bodies
    assert {line["title"] for line in lines if line["kind"] == "inbox_item"} == {f"Hello {ada.secret}"}
    assert {line["correlation"]["thread"] for line in lines if line["kind"] == "run"} == {ada.thread}
    named = {line["payload"] for line in lines if line.get("payload")}
    assert {line["id"] for line in lines if line["kind"] == "payload"} == named


def test_an_export_reads_page_by_page(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "PAGE", 3)
    for n in range(10):
        send(tenant, "user.seen", subject="ada", data={"n": n % 4})

    found = kinds(lines_of(tenant, "ada"))

    assert (found["signal"], found["payload"]) == (10, 4)


def test_what_was_erased_is_not_exported_but_that_it_was(ada: Known) -> None:
    erase_subject(tenant_id=ada.tenant.pk, subject=ada.subject, cause="api", cause_ref="k")

    assert kinds(lines_of(ada.tenant, ada.subject)) == {"subject": 1, "erasure": 1, "end": 1}


def test_rest_exports_to_the_tenant_and_with_its_scope_alone(
    ada: Known, client_of: Callable[..., APIClient], other_tenant: Tenant
) -> None:
    address = f"/v1/subjects/{ada.subject}/export"
    mine = client_of(ada.tenant, [Scope.SUBJECTS_READ]).get(address, headers={"Accept": "application/x-ndjson"})
    theirs = client_of(other_tenant).get(address)

    assert (mine.status_code, mine["Content-Type"]) == (200, "application/x-ndjson")
    assert ada.secret in mine.getvalue().decode()
    assert kinds([json.loads(line) for line in theirs.getvalue().splitlines()]) == {"subject": 1, "end": 1}
    assert client_of(ada.tenant, [Scope.SUBJECTS_WRITE]).get(address).status_code == 403


def test_the_command_exports(ada: Known) -> None:
    said = StringIO()
    call_command("subjects", "export", ada.subject, "--tenant", ada.tenant.slug, stdout=said)

    assert kinds([json.loads(line) for line in said.getvalue().splitlines()])["run"] == 2
