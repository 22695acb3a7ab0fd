"""Heads: signed, kept, and held against the database after a superuser has been there."""

import base64
import json
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections
from django.test import Client
from rest_framework.test import APIClient

from chimeway_py.embedded.postgres import Postgres
from chimeway_py.metrics import DatabaseNumbers
from tenants.models import Tenant
from tenants.scope import database_now, tenant_scope
from tests.admin.conftest import operator
from tests.admin.test_home import numbers
from tests.docs.pages import blocks, page
from tests.evidence.forging import Forger
from tests.journeys import GRACE, drain, paid, publish, run_of, send, start, waiting_run
from tests.retention.conftest import aged, keep, prune
from tests.trace.tampering import guards_down
from workflows.heads import rounds, signing
from workflows.heads.checking import Checked, check_heads
from workflows.heads.errors import NoHeadKey
from workflows.heads.keys import public_keys
from workflows.heads.reading import export_heads
from workflows.heads.signing import sign_heads
from workflows.models import Run, TraceHead
from workflows.services.control import cancel_runs
from workflows.states import Cause
from workflows.verify import verify_trace

__all__ = ["operator"]

Faults = list[tuple[str, str]]


def kept(tenant: Tenant) -> list[str]:
    """Sign, and keep all heads elsewhere."""
    sign_heads(tenant_id=tenant.pk)
    return list(export_heads(tenant_id=tenant.pk))


def faults(tenant: Tenant, lines: list[str], keys: Any = None) -> Faults:
    """(run or number of the head, code) of all that is wrong."""
    found = check_heads(tenant_id=tenant.pk, lines=lines, keys=keys or public_keys(), checked=Checked())
    return [(one.run or str(one.number), str(one.code)) for one in found]


def ended(tenant: Tenant, subject: str) -> Run:
    run_id = start(tenant, "dunning", subject, correlation={"invoice_id": subject})
    drain(tenant)
    paid(tenant, subject)
    drain(tenant)
    return run_of(tenant, run_id)


def heads_of(tenant: Tenant) -> list[TraceHead]:
    with tenant_scope(tenant.pk):
        return list(TraceHead.objects.filter(tenant_id=tenant.pk).order_by("number"))


def test_heads_can_be_proved_by_the_program_of_the_page(tenant: Tenant, rest: APIClient, tmp_path: Path) -> None:
    run = run_of(tenant, waiting_run(tenant))
    kept(tenant)
    start(tenant, "dunning", "bob")
    lines = kept(tenant)
    [program] = [block.text for block in blocks(page("evidence.md"), "python")]
    [key] = rest.get("/v1/heads/keys").json()["keys"]

    def proved(lines: list[str]) -> str:
        file = tmp_path / "heads.jsonl"
        file.write_text("".join(lines))
        asked = [sys.executable, "-c", program, str(file), key["public_key"]]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout + done.stderr[-200:]

    first = json.loads(lines[0])
    assert proved(lines) == "Signed and whole.\n"
    assert "InvalidSignature" in proved([lines[0].replace(first["signed_at"], "2020"), lines[1]])
    assert (first["key"], first["tenant"]) == (key["id"], str(tenant.public_id))
    assert first["runs"] == [[str(run.public_id), run.seq, bytes(run.chain_head).hex()]]


def test_growth_and_pruning_break_nothing(tenant: Tenant) -> None:
    publish(tenant, GRACE)
    old, live = ended(tenant, "old"), run_of(tenant, start(tenant, "dunning", "new"))
    first = kept(tenant)

    drain(tenant)
    aged(tenant, old.pk, 100)
    keep(tenant)
    prune(tenant)
    second = kept(tenant)
    cancel_runs(tenant_id=tenant.pk, public_ids=[live.public_id], cause=Cause.API, cause_ref="x", reason="enough")

    assert (faults(tenant, first), faults(tenant, second), list(verify_trace(tenant_id=tenant.pk))) == ([], [], [])
    told = json.loads(second[-1])
    assert second[0] == first[0]
    assert [run for run, *_ in told["runs"]] == [str(live.public_id)]
    assert told["pruned"] == [[str(old.public_id), old.seq, bytes(old.chain_head).hex()]]
    assert kept(tenant)[:2] == second


def test_what_a_superuser_did_since_is_named_run_by_run(tenant: Tenant, postgres: Postgres) -> None:
    publish(tenant, GRACE)
    names = ("honest", "cut", "rewritten", "gone", "buried", "pruned")
    runs = {name: ended(tenant, name) for name in names}
    aged(tenant, runs["pruned"].pk, 100)
    keep(tenant)
    prune(tenant)
    lines = kept(tenant)
    forger = Forger(tenant, postgres)

    forger.cut(runs["cut"], keep=3)
    forger.rewrite(runs["rewritten"], 2)
    forger.remove(runs["gone"])
    forger.remove(runs["buried"])
    forger.bury(runs["buried"], length=4)
    forger.rebury(runs["pruned"])

    assert list(verify_trace(tenant_id=tenant.pk)) == []  # the forger knows the chain and folds it as we do
    assert sorted(faults(tenant, lines)) == sorted(
        (str(runs[name].public_id), code)
        for name, code in (
            ("cut", "trace_cut"),
            ("rewritten", "trace_rewritten"),
            ("gone", "run_gone"),
            ("buried", "tombstone_changed"),
            ("pruned", "tombstone_changed"),
        )
    )


def test_what_no_kept_head_tells_of_is_found_by_nothing(tenant: Tenant, postgres: Postgres) -> None:
    """The limit that the pages admit: it holds until the next head is kept, and no longer."""
    publish(tenant, GRACE)
    told = run_of(tenant, start(tenant, "dunning", "told", correlation={"invoice_id": "told"}))
    early = kept(tenant)
    drain(tenant)
    paid(tenant, "told")
    drain(tenant)
    untold, late = ended(tenant, "untold"), kept(tenant)
    forger = Forger(tenant, postgres)

    forger.cut(run_of(tenant, told.pk), keep=told.seq)
    forger.rewrite(untold, 2)

    assert list(verify_trace(tenant_id=tenant.pk)) == []
    assert faults(tenant, early) == [], "nothing that was kept then tells of what was changed"
    assert sorted(faults(tenant, late)) == sorted(
        [(str(told.public_id), "trace_cut"), (str(untold.public_id), "trace_rewritten")]
    )


def test_a_file_that_was_changed_is_not_believed(tenant: Tenant, other_tenant: Tenant, postgres: Postgres) -> None:
    waiting_run(tenant)
    kept(tenant)
    start(tenant, "dunning", "bob")
    lines = kept(tenant)
    first, second = map(json.loads, lines)
    forged = json.dumps(first | {"runs": []})
    theirs = json.dumps(first | {"key": "f" * 16})
    waiting_run(other_tenant)

    assert faults(tenant, lines) == []
    assert faults(tenant, [forged, lines[1]]) == [("1", "wrong_signature")]
    assert faults(tenant, [json.dumps(second | {"signature": "00" * 64})]) == [("2", "wrong_signature")]
    assert faults(tenant, [theirs]) == [("1", "unknown_key")]
    assert faults(tenant, [lines[1], lines[0]]) == [("1", "broken_chain")]
    assert faults(tenant, kept(other_tenant)) == [("1", "other_tenant")]
    for odd in ("", "[]", "{}", '{"runs": 1}', "\x00", lines[0][:-9], "[" * 100_000, '{"runs":' * 5000):
        assert faults(tenant, [odd]) == [("1", "no_head")]
    assert faults(tenant, [json.dumps(first | {"runs": [[1, 2, 3]]})]) == [("1", "no_head")]
    with postgres.connect() as superuser, superuser.transaction(), guards_down(superuser, "workflows_tracehead"):
        superuser.execute("DELETE FROM workflows_tracehead WHERE tenant_id = %s AND number = 2", [tenant.pk])
    assert faults(tenant, lines) == [("2", "head_missing")]


@pytest.fixture
def under_way(tenant: Tenant) -> Iterator[Callable[[], None]]:
    """A start that has written its line and not committed it; what is yielded lets it commit."""
    publish(tenant, GRACE)
    wrote, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with tenant_scope(tenant.pk):
            start(tenant, "dunning", "slow")
            wrote.set()
            go_on.wait(20)
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert wrote.wait(20)

    def commit() -> None:
        go_on.set()
        thread.join()

    yield commit
    commit()


def test_a_line_that_commits_behind_a_later_one_is_not_missed(
    tenant: Tenant, under_way: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    start(tenant, "dunning", "quick", data={})  # the same payload would wait for the other transaction
    monkeypatch.setattr(signing, "PATIENCE", 0.05)

    early = sign_heads(tenant_id=tenant.pk)
    under_way()
    [head] = sign_heads(tenant_id=tenant.pk)

    assert (early, head.runs) == ([], 2)
    assert sign_heads(tenant_id=tenant.pk) == []


def test_heads_are_of_bounded_size_and_chained(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tenant, GRACE)
    for number in range(7):
        start(tenant, "dunning", f"s{number}")
    monkeypatch.setattr(signing, "MOST_LINES", 3)

    [cut] = sign_heads(tenant_id=tenant.pk, seconds=0)
    rest = sign_heads(tenant_id=tenant.pk)

    assert [head.runs for head in [cut, *rest]] == [3, 3, 1]
    assert [head.has_more for head in [cut, *rest]] == [True, True, False]
    assert [bytes(head.previous) for head in rest] == [bytes(cut.digest), bytes(rest[0].digest)]
    assert faults(tenant, list(export_heads(tenant_id=tenant.pk))) == []
    assert faults(tenant, list(export_heads(tenant_id=tenant.pk, after=1))) == []


def test_everybody_gets_a_head_when_it_is_time_and_there_is_something_to_tell(
    tenant: Tenant, other_tenant: Tenant, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    owing = [(tenant.pk,), (other_tenant.pk,)]  # other tests leave traces behind
    waiting_run(tenant)
    asked = rounds.fetch
    monkeypatch.setattr(rounds, "fetch", lambda *given: [row for row in asked(*given) if row in owing])

    made = [rounds.sign_everywhere(), rounds.sign_everywhere(timedelta())]
    paid(tenant)
    drain(tenant)
    made += [rounds.sign_everywhere(), rounds.sign_everywhere(timedelta())]

    assert made == [1, 0, 0, 1]
    assert [len(heads_of(one)) for one in (tenant, other_tenant)] == [2, 0]
    settings.HEAD_KEYS = []
    send(tenant, "invoice.disputed", correlation={"invoice_id": "42"})
    assert rounds.sign_everywhere(timedelta()) == 0
    with pytest.raises(NoHeadKey):
        sign_heads(tenant_id=tenant.pk)


def test_heads_of_a_key_that_was_replaced_still_hold(tenant: Tenant, settings: Any) -> None:
    waiting_run(tenant)
    kept(tenant)
    settings.HEAD_KEYS = [b"\1" * 32, *settings.HEAD_KEYS]
    start(tenant, "dunning", "bob")
    lines = kept(tenant)
    new, old = public_keys()

    assert [json.loads(line)["key"] for line in lines] == [old, new]
    assert faults(tenant, lines) == []
    assert faults(tenant, lines, {new: public_keys()[new]}) == [("1", "unknown_key")]


@pytest.mark.parametrize("statement", ["UPDATE workflows_tracehead SET key = ''", "DELETE FROM workflows_tracehead"])
def test_nobody_changes_a_head(tenant: Tenant, postgres: Postgres, statement: str) -> None:
    waiting_run(tenant)
    kept(tenant)

    with postgres.connect() as superuser:
        superuser.execute("SET session_replication_role = replica")
        with pytest.raises(psycopg.errors.RaiseException):
            superuser.execute(statement)
        with pytest.raises(psycopg.errors.RaiseException):
            superuser.execute("TRUNCATE workflows_tracehead")
    with postgres.connect("chimeway_app") as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute(statement)


def test_rest_lists_heads_and_gives_each_as_a_line_of_the_file(tenant: Tenant, rest: APIClient) -> None:
    waiting_run(tenant)
    [line] = kept(tenant)
    said = json.loads(line)

    [listed] = rest.get("/v1/heads").json()["items"]
    whole = rest.get(f"/v1/heads/{listed['id']}").json()

    assert whole == said
    assert (listed["runs"], listed["pruned"], listed["digest"]) == (1, 0, said["digest"])
    assert rest.get(f"/v1/heads/{uuid.uuid4()}").json()["code"] == "head_not_found"
    assert rest.get("/v1/heads?limit=x").status_code == 400


def command(*words: str) -> str:
    out = StringIO()
    call_command("heads", *words, stdout=out)
    return out.getvalue()


def test_the_command_signs_exports_and_checks(tenant: Tenant, postgres: Postgres, tmp_path: Path) -> None:
    run = run_of(tenant, waiting_run(tenant))
    whose, file = ["--tenant", tenant.slug], tmp_path / "heads.jsonl"

    signed, again = command("sign", *whose), command("sign", *whose)
    command("export", *whose, "--out", str(file))
    [_, key] = command("keys").split()

    assert signed.startswith("head 1: 1 run and 0 tombstones, ")
    assert again.startswith("Nothing was added")
    assert command("export", *whose, "--after", "1") == ""
    assert command("export", *whose) == file.read_text()
    assert command("check", str(file), *whose, "--key", key) == "Intact: 1 head with 1 entry.\n"
    Forger(tenant, postgres).cut(run, keep=2)
    with pytest.raises(CommandError, match=r"2 faults, 1 run not as signed\."):
        command("check", str(file), *whose)
    for wrong in (["--key", "AAAA"], ["--key", base64.b64encode(bytes(32)).decode()]):
        with pytest.raises(CommandError):
            command("check", str(file), *whose, *wrong)
    with pytest.raises(CommandError, match="cannot be read"):
        command("check", str(tmp_path / "nothing"), *whose)


def late_tenants() -> float:
    """As the metrics tell it."""
    [family] = [one for one in DatabaseNumbers().collect() if one.name == "chimeway_heads_late"]
    return float(family.samples[0].value)


@pytest.mark.parametrize("column", ["finished_at", "public_id"])
def test_heads_that_do_not_come_are_told(
    column: str, tenant: Tenant, postgres: Postgres, settings: Any, operator: Callable[..., Client]
) -> None:
    """A run ended, or began, three hours ago, and no head since."""
    publish(tenant, GRACE)
    ended(tenant, "ada")
    sign_heads(tenant_id=tenant.pk)
    run = ended(tenant, "bob") if column == "finished_at" else run_of(tenant, start(tenant, "dunning", "bob"))
    with postgres.connect() as owner, guards_down(owner, "workflows_tracehead"):
        owner.execute("UPDATE workflows_tracehead SET signed_at = signed_at - interval '1 day'")
    before, browser = late_tenants(), operator(tenant)
    assert numbers(browser)["Late heads"][:2] == ("right", "0"), "what is new is not late"

    with tenant_scope(tenant.pk):
        ago = database_now() - timedelta(hours=3)
        id_then = uuid.UUID(int=int(ago.timestamp() * 1000) << 80 | 0x7 << 76 | 0b10 << 62)
        Run.objects.filter(pk=run.pk).update(**{column: ago if column == "finished_at" else id_then})

    assert late_tenants() == before + 1
    assert numbers(browser)["Late heads"][:2] == ("wrong", "1")
    keys, settings.HEAD_KEYS = settings.HEAD_KEYS, []
    assert numbers(browser)["Late heads"][:2] == ("wrong", "1"), "whoever had a head misses the next, key or no key"
    settings.HEAD_KEYS = keys
    sign_heads(tenant_id=tenant.pk)
    assert late_tenants() == before
