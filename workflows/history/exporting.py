"""One run, whole, as JSON lines: everything that the database has of it, to read, to keep, or to bring in elsewhere.

The first line says whose run it is and how the lines are to be read, the last how many there are and their digest. A
trace proves itself under the identity it was written with, so the export keeps that: the tenant's number, and those of
tenants that the run came from.
"""

import hashlib
import json
import uuid
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from signals_app.models import Signal
from signals_app.services.payloads import load_payloads
from tenants.models import Tenant
from tenants.scope import tenant_scope
from workflows.errors import RunNotFound
from workflows.history.json_rows import as_json, columns_of, pages, payload_columns
from workflows.history.lineage import origin_of
from workflows.history.parts import Part, parts, rows_of
from workflows.models import Definition, Run, Transition

FORMAT = 1
IN_MEMORY = 4 * 1024 * 1024  # bytes of an export


def export_run(*, tenant_id: int, public_id: uuid.UUID, payloads: bool = False) -> Iterator[str]:
    """The lines of the run's export, each ending in a newline, read as they are asked for.

    The run stands still until the last line is read: take them inside one transaction and do not dawdle. Without
    `payloads` the columns that hold payload values are empty. Raises `RunNotFound` at the first line.
    """
    digest, count = hashlib.sha256(), 0
    for entry in _entries(tenant_id, public_id, payloads):
        line = _line(entry)
        digest.update(line.encode())
        count += 1
        yield line
    yield _line({"kind": "end", "lines": count, "sha256": digest.hexdigest()})


def exported_file(*, tenant_id: int, public_id: uuid.UUID) -> IO[bytes]:
    """The export without payloads, whole, as a file to be read; a long one waits on disk. Raises `RunNotFound`."""
    file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  whoever reads it closes it
    for line in export_run(tenant_id=tenant_id, public_id=public_id):
        file.write(line.encode())
    file.seek(0)
    return file


def _entries(tenant_id: int, public_id: uuid.UUID, payloads: bool) -> Iterator[dict[str, Any]]:
    with tenant_scope(tenant_id) as scope:
        runs = Run.objects.for_tenant(tenant_id).filter(public_id=public_id)
        run = runs.locked().values(*columns_of(Run)).first()
        if run is None:
            raise RunNotFound("No such run.")
        yield _head(tenant_id, run) | {"exported_at": scope.now.isoformat(), "payloads": payloads}
        yield _definition(tenant_id, run["definition_id"])
        signals = list(_signals(tenant_id, run["id"]))
        if payloads:
            named = _named_by_parts(tenant_id, run["id"])
            yield from _payloads(tenant_id, [run["data_sha"], *(signal["payload_sha"] for signal in signals), *named])
        yield {"kind": "run", "row": as_json(run)}
        for signal in signals:
            yield {"kind": "signal", "row": as_json(signal)}
        lines = Transition.objects.filter(tenant_id=tenant_id, run_id=run["id"])  # written in order
        for line in pages(lines, columns_of(Transition)):
            yield {"kind": "transition", "row": as_json(line)}
        for part in parts():
            if part.is_exported:
                yield from _rows(part, tenant_id, run["id"], payloads)


def _head(tenant_id: int, run: dict[str, Any]) -> dict[str, Any]:
    tenant = Tenant.objects.get(id=tenant_id)
    origin = origin_of(Run(id=run["id"], tenant_id=tenant_id))
    return {
        "kind": "export",
        "format": FORMAT,
        "tenant": tenant.slug,
        "tenant_number": tenant_id,
        "run": str(run["public_id"]),
        "replayed_from": str(origin) if origin else None,
    }


def _definition(tenant_id: int, definition_id: int) -> dict[str, Any]:
    version = Definition.objects.for_tenant(tenant_id).get(id=definition_id)
    said = {"key": version.key, "version": version.version, "checksum": version.checksum}
    return {"kind": "definition", **said, "document": version.document}


def _signals(tenant_id: int, run_id: int) -> Iterator[dict[str, Any]]:
    """The signals that the run was told of."""
    told = Signal.objects.filter(tenant_id=tenant_id, run_verdicts__run_id=run_id)
    yield from pages(told, columns_of(Signal))


def _payloads(tenant_id: int, addresses: list[Any]) -> Iterator[dict[str, Any]]:
    wanted = {bytes(address) for address in addresses if address is not None}
    for address, body in sorted(load_payloads(tenant_id, wanted).items()):
        yield {"kind": "payload", "address": address.hex(), "body": body}


def _named_by_parts(tenant_id: int, run_id: int) -> Iterator[Any]:
    """Where the payloads lie that rows of the parts name."""
    for part in parts():
        for column in payload_columns(part.model) if part.is_exported else ():
            yield from rows_of(part, tenant_id, run_id).values_list(column, flat=True)


def _rows(part: Part, tenant_id: int, run_id: int, payloads: bool) -> Iterator[dict[str, Any]]:
    columns = [name for name in columns_of(part.model) if not part.is_sealed or payloads or name != "sealed"]
    for row in pages(rows_of(part, tenant_id, run_id), columns):
        opened = {"content": part.model(tenant_id=tenant_id, **row).content} if part.is_sealed and payloads else {}  # type: ignore[attr-defined]
        yield {"kind": part.kind, "row": as_json({name: row[name] for name in row if name != "sealed"})} | opened


def _line(entry: dict[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n"
