"""Archives: runs as JSON lines in a file, written and synced before the runs are pruned."""

import gzip
import os
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from tenants.models import Tenant
from tenants.scope import tenant_scope
from workflows.history.exporting import export_run
from workflows.retention.errors import NoArchive


def write_archive(tenant_id: int, what: str, runs: Sequence[uuid.UUID]) -> str:
    """Write the exports of these runs into a new file of the tenant; its name below RETENTION_ARCHIVE_DIR.

    Without payload values, so that an archive outlives the erasure of a subject. When it returns, the file is on disk;
    a file that nothing names was written by somebody who died before pruning, and harms nothing. Raises `NoArchive`.
    """
    if not settings.RETENTION_ARCHIVE_DIR:
        raise NoArchive
    with tenant_scope(tenant_id):
        slug = Tenant.objects.get(id=tenant_id).slug
    name = f"{slug}/{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{what}-{uuid.uuid4().hex[:12]}.jsonl.gz"
    target = Path(settings.RETENTION_ARCHIVE_DIR) / name
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(".part")
    with draft.open("wb") as file, gzip.open(file, "wt", encoding="utf-8", compresslevel=6) as text:
        for run in runs:
            text.writelines(_lines(tenant_id, run))
    _sync(draft)
    draft.rename(target)
    _sync(target.parent)
    return name


def _lines(tenant_id: int, run: uuid.UUID) -> list[str]:
    """In memory, so that no transaction waits for a disk."""
    with tenant_scope(tenant_id):
        return list(export_run(tenant_id=tenant_id, public_id=run))


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
