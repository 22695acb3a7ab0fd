"""Runs are on disk before they are gone, and come back from there."""

import gzip
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.history.test_export_import import changed
from tests.journeys import run_of
from tests.retention.conftest import aged, exists, keep, lines_of, prune
from workflows.history.import_file import exports
from workflows.history.importing import import_run
from workflows.history.rebuild import rebuild_run
from workflows.models import Run
from workflows.retention import runs as run_pruning
from workflows.retention.tombstones import tombstone_of
from workflows.verify import verify_trace


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.RETENTION_ARCHIVE_DIR = str(tmp_path / "archive")
    return tmp_path / "archive"


def test_what_is_pruned_is_in_a_file_that_its_tombstone_names(
    tenant: Tenant, ended: Callable[..., Run], folder: Path
) -> None:
    old = [ended(tenant), ended(tenant)]
    keep(tenant, archives=True)

    assert prune(tenant)["run"] == 2

    name = tombstone_of(tenant_id=tenant.pk, public_id=old[0].public_id).archive
    assert name.startswith(f"{tenant.slug}/")
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*.*")] == [name]
    with gzip.open(folder / name, "rt", encoding="utf-8") as text:
        files = list(exports(text))
    for run, lines in zip(old, files, strict=True):
        assert import_run(tenant_id=tenant.pk, lines=as_it_ended(lines)).public_id == run.public_id
        stone = tombstone_of(tenant_id=tenant.pk, public_id=run.public_id)
        back = rebuild_run(tenant_id=tenant.pk, public_id=run.public_id)
        assert (back.is_equal, back.state.seq) == (True, stone.length)
    assert list(verify_trace(tenant_id=tenant.pk)) == []
    with tenant_scope(tenant.pk):
        again = list(Run.objects.for_tenant(tenant.pk).values_list("pk", flat=True))
    for run_id in again:
        aged(tenant, run_id, 100)
    assert prune(tenant)["run"] == 2


def as_it_ended(lines: Iterable[str]) -> list[str]:
    """`ended` let the row say that it ended long ago; the trace says when it did."""
    given = list(lines)
    entries = [json.loads(line) for line in given]
    last = [entry["row"]["occurred_at"] for entry in entries if entry["kind"] == "transition"][-1]
    return changed(given, run=lambda entry: entry["row"].update(finished_at=last))


def test_whoever_dies_after_the_file_has_pruned_nothing(
    tenant: Tenant, ended: Callable[..., Run], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ended(tenant)
    keep(tenant, archives=True)

    with monkeypatch.context() as patched:
        patched.setattr(run_pruning, "_DELETE", "SELECT 1 / 0 WHERE %s IS NOT NULL OR %s IS NOT NULL")
        with pytest.raises(Exception, match=r"division by zero|could not determine"):
            prune(tenant)
    assert (exists(tenant, run), lines_of(tenant, run)) == (True, run.seq)
    assert run_of(tenant, run.pk).chain_head == run.chain_head

    assert prune(tenant)["run"] == 1
    assert len(list(folder.rglob("*.jsonl.gz"))) == 2


def test_a_full_disk_prunes_nothing(
    tenant: Tenant, ended: Callable[..., Run], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ended(tenant)
    keep(tenant, archives=True)
    monkeypatch.setattr("workflows.retention.archive._sync", _full)

    with pytest.raises(OSError, match="No space"):
        prune(tenant)
    assert exists(tenant, run)
    assert list(folder.rglob("*.jsonl.gz")) == []


def _full(path: Path) -> None:
    raise OSError(28, "No space left on device")
