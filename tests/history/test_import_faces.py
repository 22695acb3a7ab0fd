"""Bringing runs in by REST and at the admin: all of a file or nothing, and a bad line is named."""

import hashlib
import json
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from chimeway_py.errors import ChimewayError
from deliveries.models import Delivery, InboxItem
from tenants.admin.paging import page_of
from tenants.limits.kinds import LimitKind
from tenants.models import OperatorAction, Role, Tenant
from tenants.models.api_key import Scope
from tenants.scope import tenant_scope
from tenants.services import set_limit
from tenants.sql import execute
from tests.admin.conftest import journey, operator
from tests.history.test_export_import import arrived, changed, ended_run, lines_of
from tests.journeys import drain, publish, reasons_of, rows_of, run_of, send, start, waiting_run
from workflows.history.import_file import import_file
from workflows.models import Definition, Run
from workflows.services.turn import work_turn

__all__ = ["operator"]

ALL = (Run, Definition, Delivery, InboxItem)
JUNK = (None, -1, "x", [], {"a": 1}, 2**40, True, 1.5, "ä" * 400, "2026-11-20T12:00:00", [[1, "x"]], "0" * 64)


def whole(tenant: Tenant) -> list[str]:
    """An export with rows of many kinds, and what they say."""
    publish(tenant, journey("flow"))
    run_id = start(tenant, "flow", correlation={"invoice_id": "7"}, data={"amount": 12})
    drain(tenant)
    work_turn(tenant_id=tenant.pk)
    drain(tenant)
    send(tenant, "paid", correlation={"invoice_id": "7"}, data={"by": "card"})
    drain(tenant)
    return lines_of(tenant, run_of(tenant, run_id), payloads=True)


def vouched(entries: list[Any]) -> list[str]:
    """The entries as lines, with an end that counts them."""
    body = [json.dumps(entry) + "\n" for entry in entries]
    digest = hashlib.sha256("".join(body).encode()).hexdigest()
    return [*body, '{"kind":"end",' + json.dumps({"lines": len(body), "sha256": digest})[1:] + "\n"]


def post(rest: APIClient, lines: list[str] | bytes, query: str = "") -> Any:
    body = lines if isinstance(lines, bytes) else "".join(lines).encode()
    return rest.post(f"/v1/runs/import{query}", body, content_type="application/x-ndjson")


def paths(answer: Any) -> list[str]:
    return [one["path"] for one in answer.json()["detail"]]


def broken(lines: list[str]) -> Iterator[tuple[int, str, list[str]]]:
    """(line, column, export) with one value replaced by what cannot stand there, and an end that vouches for it."""
    junk, seen = cycle(JUNK), set()
    for number, line in enumerate(lines[:-1], 1):
        entry = json.loads(line)
        if entry["kind"] in seen:
            continue
        seen.add(entry["kind"])
        inside = entry.get("row", entry)
        for column in [*inside, *(["content"] if "content" in entry else [])]:
            entries = [json.loads(one) for one in lines[:-1]]
            changed_one = entries[number - 1]
            (changed_one if column == "content" else changed_one.get("row", changed_one))[column] = next(junk)
            yield number, column, vouched(entries)


def refusal(tenant: Tenant, lines: list[str]) -> ChimewayError | None:
    """Why an export is refused, or None; it is rolled back in either case."""
    with tenant_scope(tenant.pk), transaction.atomic():
        try:
            import_file(tenant_id=tenant.pk, raw="".join(lines).encode())
        except ChimewayError as error:
            return error
        finally:
            transaction.set_rollback(True)
    return None


def test_whatever_stands_in_an_export_it_is_taken_whole_or_refused_with_its_line(
    tenant: Tenant, other_tenant: Tenant
) -> None:
    lines = whole(tenant)
    before = rows_of(other_tenant, ALL)
    taken, refused, unnamed = 0, 0, []

    for number, column, export in broken(lines):
        error = refusal(other_tenant, export)
        if error is None:
            taken += 1
            continue
        refused += 1
        assert error.status < 500, (number, column)
        named = [one.get("path", "") for one in error.detail] if isinstance(error.detail, list) else []
        if not any(f"{path}/".startswith(f"/{number}/") for path in named):
            unnamed.append((number, column, error.code, error.message, named))

    assert taken > 10
    assert refused > 100
    assert {one[2] for one in unnamed} <= {"import_refused", "trace_broken", "bad_export"}, unnamed
    assert len(unnamed) < refused / 5, unnamed
    assert rows_of(other_tenant, ALL) == before


def test_rest_takes_all_runs_of_a_file_or_none_and_names_the_line(
    tenant: Tenant, other_tenant: Tenant, client_of: Callable[..., APIClient]
) -> None:
    rest, first = client_of(other_tenant), lines_of(tenant, ended_run(tenant))
    second = whole(tenant)
    public = [json.loads(one[0])["run"] for one in (first, second)]
    short = changed(second, run=lambda entry: entry["row"].pop("subject"))

    for lines, line in (
        ([*first, *second[:-1]], len(first) + len(second)),
        ([*first, *short], len(first) + 1 + [json.loads(one)["kind"] for one in second].index("run")),
        ([*first, "{\n"], len(first) + 1),
        ([*first, '{"kind":"run","row":{"subject":"\\u0000"}}\n'], len(first) + 1),
        ([*first[:4], *first[5:]], len(first) - 1),
        (b"\xff\n", 1),
        (b"", 1),
        (b"[]", 1),
        (b"\n\n" + "".join(first).encode(), 1),
    ):
        answer = post(rest, lines)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_export"), answer.content
        assert paths(answer)[0].split("/")[1] == str(line), (answer.content, line)
    assert rows_of(other_tenant, ALL) == [0, 0, 0, 0]

    told = post(rest, [*first, *second])
    again = post(rest, [*first, *second])

    assert (told.status_code, again.status_code) == (201, 200)
    assert [(one["id"], one["created"]) for one in told.json()["runs"]] == [(public_id, True) for public_id in public]
    assert [one["created"] for one in again.json()["runs"]] == [False, False]
    item = rest.get("/v1/inbox/ada").json()["items"][0]
    assert (item["title"], item["body"]) == ("Pay", "Please pay.")


def test_rest_refuses_what_is_too_large_what_it_may_not_and_what_is_not_said_right(
    tenant: Tenant, other_tenant: Tenant, client_of: Callable[..., APIClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(tenant, waiting_run(tenant))
    lines, rest = lines_of(tenant, run, payloads=True), client_of(other_tenant)
    another = lines_of(tenant, run_of(tenant, waiting_run(tenant)), payloads=True)
    large = json.dumps({"kind": "export", "said": "x" * 2**20}).encode()

    monkeypatch.setattr("workflows.api.run_imports.ImportRunsView.most_bytes", 2 * 2**20)
    over = post(rest, large + large)
    within = post(rest, large)
    refusals = {
        (post(rest, lines, "?live=maybe").status_code, 400),
        (post(rest, lines, "?life=true").status_code, 400),
        (post(client_of(other_tenant, [Scope.RUNS_WRITE]), lines).status_code, 403),
        (post(client_of(other_tenant, [Scope.DEFINITIONS_WRITE]), lines).status_code, 403),
        (rest.post("/v1/runs/import", {"a": 1}).status_code, 415),
        (post(rest, lines).status_code, 409),
    }

    assert (over.status_code, over.json()["code"]) == (413, "body_too_large")
    assert (within.status_code, within.json()["code"]) == (400, "bad_export")
    assert {asked for asked, _ in refusals} == {400, 403, 409, 415}
    assert all(asked == told for asked, told in refusals)
    assert rows_of(other_tenant, ALL) == [0, 0, 0, 0]
    set_limit(tenant_id=other_tenant.pk, kind=LimitKind.LIVE_RUNS, amount=1, changed_by="ada")
    told = [post(rest, export, "?live=true").status_code for export in (lines, another)]
    assert (told, rows_of(other_tenant, [Run])) == ([201, 429], [1])


def test_the_ids_of_an_export_never_reach_rows_that_are_here(
    tenant: Tenant, other_tenant: Tenant, client_of: Callable[..., APIClient]
) -> None:
    """Every id in it is that of a row of the tenant who exported, or of the tenant who imports: none is followed."""
    whole(other_tenant)
    mine = [json.loads(line) for line in whole(tenant)[:-1]]
    with tenant_scope(other_tenant.pk):
        before = list(Run.objects.values()), list(Delivery.objects.values()), list(InboxItem.objects.values())
        there = Run.objects.get().pk
    for entry in mine:
        if entry["kind"] in ("delivery", "step_run", "wait", "verdict", "transition"):
            entry["row"] = {name: there if name == "run_id" else value for name, value in entry["row"].items()}
            entry["row"]["tenant_id"] = other_tenant.pk

    answer = post(client_of(other_tenant), vouched(mine))

    assert answer.status_code in (201, 400), answer.content
    with tenant_scope(other_tenant.pk):
        added = {"delivery__run_id": there}
        assert InboxItem.objects.filter(**added).count() == 1
        after = list(Run.objects.filter(id=there).values()), list(Delivery.objects.filter(run_id=there).values())
    assert after == before[:2]
    with tenant_scope(tenant.pk):
        assert Run.objects.count() == 1


def test_an_admin_of_the_tenant_brings_runs_in(
    operator: Callable[..., Client],
    tenant: Tenant,
    other_tenant: Tenant,
) -> None:
    run = run_of(tenant, waiting_run(tenant, data={"amount": 12}))
    url, client = reverse("admin:workflows_run_import"), operator(other_tenant, tenant)
    exported = client.get(page_of(run).replace("/change/", "/export/"))
    plain = b"".join(exported.streaming_content)  # type: ignore[attr-defined]
    full = "".join(lines_of(tenant, run, payloads=True)).encode()

    def upload(raw: bytes, by: Client = client, **said: Any) -> str:
        file = SimpleUploadedFile("runs.jsonl", raw)
        asked = {"tenant": other_tenant.pk, "file": file, "reason": "moved house"} | said
        return by.post(url, asked, follow=True).content.decode()

    assert "runs.jsonl" not in exported.headers["Content-Disposition"]
    assert f"{run.public_id}.jsonl" in exported.headers["Content-Disposition"]
    assert "Bring in exported runs" in client.get(reverse("admin:workflows_run_changelist")).content.decode()
    assert operator(other_tenant, role=Role.OPERATOR).get(url).status_code == 403
    assert "Select a valid choice" in upload(full, operator(tenant), live="on")
    assert "would go on here" in upload(full)
    assert "its payloads are not in the export" in upload(plain, live="on")
    assert "/3" in upload(b"\n".join(plain.split(b"\n")[:2]) + b"\n{\n")
    assert rows_of(other_tenant, ALL) == [0, 0, 0, 0]
    page = upload(full, live="on")

    assert "1 brought in, 0 here already." in page
    assert str(run.public_id) in page
    assert reasons_of(other_tenant, arrived(other_tenant, run).pk) == reasons_of(tenant, run.pk)
    with tenant_scope(other_tenant.pk):
        act = OperatorAction.objects.get()
    assert (act.action, act.object_ref, act.reason) == ("import", str(run.public_id), "moved house")


def test_the_page_of_a_rebuild_says_what_differs(
    operator: Callable[..., Client],
    tenant: Tenant,
    other_tenant: Tenant,
) -> None:
    run = ended_run(tenant)
    url = page_of(run).replace("/change/", "/rebuild/")
    viewer, stranger = operator(tenant, role=Role.VIEWER), operator(other_tenant)

    assert f'href="{url}"' in viewer.get(page_of(run)).content.decode()
    assert "Equal: what is stored is what the trace gives." in viewer.get(url).content.decode()
    with tenant_scope(tenant.pk):
        execute("UPDATE workflows_run SET state = 'failed' WHERE tenant_id = %s AND id = %s", [tenant.pk, run.pk])
    wrong = viewer.get(url).content.decode()

    assert "What is stored is not what the trace gives." in wrong
    assert "wrong_state" in wrong
    assert run_of(tenant, run.pk).state == "failed"
    for name in ("rebuild", "export"):
        assert stranger.get(page_of(run).replace("/change/", f"/{name}/")).status_code == 404
    with tenant_scope(tenant.pk):
        execute("UPDATE workflows_run SET state = 'completed' WHERE tenant_id = %s AND id = %s", [tenant.pk, run.pk])
