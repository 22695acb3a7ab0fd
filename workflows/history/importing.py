"""Bringing an exported run in: into another tenant, another database, or back where it was pruned.

The trace is proved before anything is written, under the identity that it was written with: each line hashes the
number of its tenant and the run's public id. So the run keeps its public id, and its row notes up to which line which
tenant wrote (`origins`); lines that are added here continue the same chain under this tenant. An import proves that
the trace is whole and unchanged up to its last hash. That this is the hash that the origin had is for whoever compares
it with the origin's run or tombstone.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from chimeway_py.errors import Conflict
from signals_app.models import Signal
from signals_app.services.payloads import canonical, write_payloads
from tenants.scope import Scope, tenant_scope
from workflows.history.export_file import BadExport, Export, Row, read_export
from workflows.history.foreign_definitions import definition_for
from workflows.history.json_rows import from_json, payload_columns
from workflows.history.parts import Part, parts
from workflows.history.rebuild import TraceBroken, rebuild_run
from workflows.inspection import Inspection, StoredRun, TraceLine
from workflows.models import Run, Transition
from workflows.states import TERMINAL

Ids = dict[Any, dict[int, int]]
"""The id that each row has now, by model and by the id that it had."""
_BATCH = 500


class ImportRefused(Conflict):
    """The run cannot be brought into this tenant. Nothing was written."""

    code = "import_refused"


@dataclass(frozen=True, slots=True)
class Imported:
    """The run, whether this call brought it in, and how many transitions it has."""

    public_id: uuid.UUID
    created: bool
    transitions: int


def import_run(*, tenant_id: int, lines: Iterable[str], live: bool = False) -> Imported:
    """Bring in the run that an export holds, whole, in one transaction. Importing it again changes nothing.

    A run that has not ended would go on here, and is taken only with `live`, when no work of it is owed and its
    payloads are in the export. Raises `BadExport`, `TraceBroken`, `InvalidDefinition`, and `ImportRefused`.
    """
    export = read_export(lines)
    try:
        stored, trace = _stored(export), [_line(row) for row in export.rows["transition"]]
        _prove(export, stored, trace)
        _check_end(export, live)
        with tenant_scope(tenant_id) as scope:
            met = Run.objects.for_tenant(tenant_id).filter(public_id=stored.public_id).first()
            if met is None:
                _write(scope, tenant_id, export)
                if not rebuild_run(tenant_id=tenant_id, public_id=stored.public_id).is_equal:
                    raise TraceBroken
            elif bytes(met.chain_head) != stored.chain_head:
                raise ImportRefused("This run is here already, and its trace is another.")
    except (KeyError, TypeError, ValueError) as error:
        raise BadExport("The export cannot be used: a column is missing or cannot be read.") from error
    return Imported(stored.public_id, met is None, len(trace))


def _stored(export: Export) -> StoredRun:
    row = from_json(Run, export.run)
    return StoredRun(**{name: row[name] for name in StoredRun.__dataclass_fields__})


def _line(row: Row) -> TraceLine:
    read = from_json(Transition, row)
    return TraceLine(**{name: read[name] for name in TraceLine.__dataclass_fields__})


def _prove(export: Export, stored: StoredRun, trace: list[TraceLine]) -> None:
    inspection = Inspection(int(export.head["tenant_number"]), stored)
    for line in trace:
        inspection.take(line)
    faults = inspection.finish()
    if faults:
        detail = [{"seq": one.seq, "code": str(one.code), "message": one.message} for one in faults]
        raise TraceBroken("The trace in the export is not intact.", detail)


def _check_end(export: Export, live: bool) -> None:
    """A live run goes on where it is brought in: only if somebody means it, and only if it can."""
    if any(row.get("undo") and row["status"] in ("owed", "running") for row in export.rows.get("step_run", ())):
        raise ImportRefused("What the run did is being undone: wait until it is, then export it again.")
    if export.run["state"] in TERMINAL:
        return
    if not live:
        raise ImportRefused(f"The run is {export.run['state']} and would go on here: say so, and end it at its origin.")
    if any(row["status"] in ("owed", "running") for row in export.rows.get("step_run", ())):
        raise ImportRefused("Work of the run is owed or in flight: wait until it is done, then export it again.")
    named = {row.get("payload_sha") for row in export.rows.get("signal", ())} | {export.run.get("data_sha")}
    for part in parts():
        named |= {row.get(name) for row in export.rows.get(part.kind, ()) for name in payload_columns(part.model)}
    if {bytes.fromhex(address) for address in named if address} - set(export.payloads):
        raise ImportRefused("The run is live and its payloads are not in the export.")


def _write(scope: Scope, tenant_id: int, export: Export) -> None:
    texts = {address: canonical(body) for address, body in export.payloads.items()}
    addresses = write_payloads(tenant_id=tenant_id, texts=texts.values())
    here = {address: addresses[text] for address, text in texts.items()}
    run = _run(scope, tenant_id, export, here)
    ids: Ids = {Run: {export.run["id"]: run.pk}, Signal: _signals(scope, tenant_id, export, here)}
    trace = [from_json(Transition, row | {"run_id": run.pk}) for row in export.rows["transition"]]
    Transition.objects.bulk_create(_without_ids(Transition, tenant_id, trace), batch_size=_BATCH)
    for part in parts():
        _write_part(part, tenant_id, export, ids, here)


def _run(scope: Scope, tenant_id: int, export: Export, addresses: dict[bytes, bytes]) -> Run:
    row = from_json(Run, export.run)
    runs = Run.objects.for_tenant(tenant_id)
    original = runs.filter(public_id=export.head["replayed_from"]).first() if export.head.get("replayed_from") else None
    origin = [int(export.head["tenant_number"]), row["seq"]]
    row |= {
        "definition_id": definition_for(scope, tenant_id, export.definition).pk,
        "replayed_from_id": original.pk if original else None,
        "data_sha": addresses.get(row["data_sha"]),
        "origins": [*row.get("origins", []), origin],
    }
    taken = row["idempotency_key"] and runs.filter(
        definition_key=row["definition_key"], idempotency_key=row["idempotency_key"]
    )
    if taken and taken.exists():
        raise ImportRefused("Another run was started here under the idempotency key of this one.")
    return Run.objects.bulk_create(_without_ids(Run, tenant_id, [row]))[0]


def _signals(scope: Scope, tenant_id: int, export: Export, addresses: dict[bytes, bytes]) -> dict[int, int]:
    """The signals that the run was told of: those that are here, else copies that nothing else looks back for."""
    ids = {}
    for given in export.rows.get("signal", ()):
        row = from_json(Signal, given)
        name = {"tenant_id": tenant_id, "source": row["source"], "external_id": row["external_id"]}
        met = Signal.objects.filter(**name).first()
        if met is not None and met.public_id != row["public_id"]:
            raise ImportRefused("Another signal is here under the name of one that the run was told of.")
        if met is None:
            row |= {"payload_sha": addresses.get(row["payload_sha"]), "routed_at": row["routed_at"] or scope.now}
            met = Signal.objects.bulk_create(_without_ids(Signal, tenant_id, [row]))[0]
        ids[given["id"]] = met.pk
    return ids


def _write_part(part: Part, tenant_id: int, export: Export, ids: Ids, addresses: dict[bytes, bytes]) -> None:
    model, named = part.model, payload_columns(part.model)
    rows = [from_json(model, row) for row in export.rows.get(part.kind, ())]
    rows = [row | {column: addresses.get(row[column]) for column in named if row.get(column)} for row in rows]
    made = _without_ids(model, tenant_id, [_renamed(model, row, ids) for row in rows])
    for row, content in zip(made, export.contents.get(part.kind, ()), strict=True):
        if content is not None:
            row.seal(content)
    model._default_manager.bulk_create(made, batch_size=_BATCH)
    ids[model] = dict(zip((row["id"] for row in rows), (row.pk for row in made), strict=True))
    _link(model, rows, made, ids)


def _renamed(model: type[Any], row: Row, ids: Ids) -> Row:
    """The row with the ids that its neighbours have here; None for those that did not come along."""
    keys = [key for key in model._meta.concrete_fields if key.is_relation and key.attname in row]
    return row | {key.attname: ids.get(key.related_model, {}).get(row[key.attname]) for key in keys}


def _link(model: type[Any], rows: list[Row], made: list[Any], ids: Ids) -> None:
    """Name the rows of the same table, which have their ids only now."""
    for key in (key for key in model._meta.concrete_fields if key.related_model is model):
        for row, now in zip(rows, made, strict=True):
            setattr(now, key.attname, ids[model].get(row[key.attname]))
        model._default_manager.bulk_update([now for now in made if getattr(now, key.attname)], [key.name])


def _without_ids(model: type[Any], tenant_id: int, rows: list[Row]) -> list[Any]:
    return [model(tenant_id=tenant_id, **{name: row[name] for name in row if name != "id"}) for row in rows]
