"""`manage.py definitions`: what a team types, what it reads, and with which exit code."""

import os
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tenants.models import OperatorAction, Tenant
from tenants.scope import tenant_scope
from tests.definitions.documents import GRACE, TELL, document
from workflows.definitions.files import load_file
from workflows.definitions.writer import write_yaml
from workflows.services import definitions

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "dunning.yaml").write_text(write_yaml(document()))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "other.yml").write_text(write_yaml(document(key="other")))
    (tmp_path / "README.md").write_text("not a definition")
    return tmp_path


@pytest.fixture
def run() -> Callable[..., str]:
    def call(*arguments: Any) -> str:
        out = StringIO()
        call_command("definitions", *map(str, arguments), stdout=out, stderr=out)
        return out.getvalue()

    return call


def test_validate_needs_no_database(folder: Path) -> None:
    (folder / "bad.yaml").write_text("key: bad\nsteps:\n  - {key: a, kind: wait, for: P1M}\n")
    environment = os.environ | {"DATABASE_URL": "postgres://nobody:x@127.0.0.1:1/none", "DEBUG": "1"}

    done = subprocess.run(
        [sys.executable, ROOT / "manage.py", "definitions", "validate", folder],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert f"{folder}/bad.yaml:/steps/0/for: `for` is not valid: Years and months differ in length" in done.stderr
    assert "1 of 3 files have faults." in done.stderr


def test_validate_tells_what_is_valid(folder: Path, run: Callable[..., str]) -> None:
    said = run("validate", folder)

    assert said.splitlines() == [
        f"{folder}/dunning.yaml: dunning is valid",
        f"{folder}/more/other.yml: other is valid",
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"key: [1\n", "bad.yaml:/key/1: This is not YAML: line 2, column 1"),
        (b"a: 1\na: 2\n", "bad.yaml:/a: The key 'a' stands here twice (line 2)."),
        (b"x" * 300_000, "bad.yaml:: A definition has at most 256 kB"),
    ],
)
def test_unreadable_files_are_faults_too(folder: Path, content: bytes, says: str) -> None:
    (folder / "bad.yaml").write_bytes(content)
    errors = StringIO()

    with pytest.raises(CommandError, match="1 of 3"):
        call_command("definitions", "validate", str(folder), stdout=StringIO(), stderr=errors)

    assert says in errors.getvalue()


@pytest.mark.parametrize("missing", ["gone.yaml", "empty"])
def test_nothing_to_read_is_an_error(tmp_path: Path, run: Callable[..., str], missing: str) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(CommandError):
        run("validate", tmp_path / missing)


def test_push_stores_drafts_and_publishes_on_demand(folder: Path, run: Callable[..., str], tenant: Tenant) -> None:
    said = run("push", folder, "--tenant", tenant.slug)
    assert said.splitlines()[0] == f"{folder}/dunning.yaml: dunning v1 is draft"

    said = run("push", folder, "--tenant", tenant.slug, "--publish")
    assert said.splitlines()[0] == f"{folder}/dunning.yaml: dunning v1 is published"
    assert definitions.fetch_definition(tenant_id=tenant.pk, key="other").version == 1


def test_a_fault_in_one_file_stops_the_whole_push(folder: Path, run: Callable[..., str], tenant: Tenant) -> None:
    (folder / "zz.json").write_text('{"key": "zz", "steps": []}')

    with pytest.raises(CommandError):
        run("push", folder, "--tenant", tenant.slug)

    assert definitions.latest_definitions(tenant_id=tenant.pk) == []


def test_a_dry_run_writes_nothing(folder: Path, run: Callable[..., str], tenant: Tenant) -> None:
    definitions.ensure_definition(tenant_id=tenant.pk, document=document(TELL, GRACE))

    said = run("push", folder, "--tenant", tenant.slug, "--publish", "--dry-run").splitlines()

    assert said == [f"{folder}/dunning.yaml: dunning has 1 change", f"{folder}/more/other.yml: other is new"]
    assert [str(row) for row in definitions.latest_definitions(tenant_id=tenant.pk)] == ["dunning v1"]


def test_pull_writes_what_push_reads(tmp_path: Path, run: Callable[..., str], tenant: Tenant) -> None:
    for key in ("one", "two"):
        definitions.ensure_definition(tenant_id=tenant.pk, document=document(key=key))

    run("pull", tmp_path / "new", "--tenant", tenant.slug)
    run("pull", tmp_path / "only", "two", "--tenant", tenant.slug)
    run("pull", tmp_path / "dry", "--tenant", tenant.slug, "--dry-run")

    assert load_file(tmp_path / "new" / "one.yaml") == document(key="one")
    assert [path.name for path in (tmp_path / "only").iterdir()] == ["two.yaml"]
    assert not (tmp_path / "dry").exists()
    assert "is unchanged" in run("diff", tmp_path / "new" / "one.yaml", "--tenant", tenant.slug)


def test_diff_tells_each_change(folder: Path, run: Callable[..., str], tenant: Tenant) -> None:
    definitions.ensure_definition(tenant_id=tenant.pk, document=document(TELL, GRACE | {"for": "P3D"}))

    said = run("diff", folder / "dunning.yaml", "--tenant", tenant.slug).splitlines()

    assert said[0] == f"{folder}/dunning.yaml: dunning has 2 changes"
    assert said[1:] == [
        '  ~ /steps/grace/for: "P3D" → "P2D"',
        '  + /steps/last: {"channel":"in_app","key":"last","kind":"deliver","template":"hello"}',
    ]


def test_unknown_tenants_and_keys_are_errors(tmp_path: Path, run: Callable[..., str], tenant: Tenant) -> None:
    with pytest.raises(CommandError, match="no tenant nobody"):
        run("pull", tmp_path, "--tenant", "nobody")
    with pytest.raises(CommandError, match="No definition gone"):
        run("pull", tmp_path, "gone", "--tenant", tenant.slug)


def test_stored_versions_are_listed_and_a_draft_is_published_in_somebodys_name(
    run: Callable[..., str], tenant: Tenant
) -> None:
    definitions.save_draft(tenant_id=tenant.pk, document=document())
    key, to = document()["key"], ("--tenant", tenant.slug)

    assert run("list", *to).split() == [key, "v1", "draft"]
    assert "is published" in run("publish", key, 1, "--by", "ada", *to)
    definitions.save_draft(tenant_id=tenant.pk, document=document(description="other words"))

    assert [line.split()[:3] for line in run("list", key, *to).splitlines()] == [
        [key, "v2", "draft"],
        [key, "v1", "published"],
    ]
    assert run("list", "--status", "retired", *to) == ""
    with tenant_scope(tenant.pk):
        assert [(one.action, one.username) for one in OperatorAction.objects.all()] == [("definitions publish", "ada")]
    with pytest.raises(CommandError, match="no such version"):
        run("publish", key, 9, *to)
