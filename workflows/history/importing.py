"""Bringing an exported run in: into another tenant, another database, or back where it was pruned.

The trace is proved before anything is written, under the identity that it was written with: each line hashes the
number of its tenant and the run's public id. So the run keeps its public id, and its row notes up to which line which
tenant wrote (`origins`); lines that are added here continue the same chain under this tenant. An import proves that
the trace is whole and unchanged up to its last hash. That this is the hash that the origin had is for whoever compares
it with the origin's run or tombstone.
"""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from signals_app.models import Signal
from tenants.scope import tenant_scope
from workflows.definitions.errors import InvalidDefinition
from workflows.explain import explain_run
from workflows.history.export_file import BadExport, Export, Row, bad_line, read_export
from workflows.history.export_rows import read_row
from workflows.history.import_rows import ImportRefused, write_export
from workflows.history.json_rows import payload_columns
from workflows.history.parts import parts
from workflows.history.rebuild import TraceBroken, rebuild_run
from workflows.inspection import Inspection, StoredRun, TraceLine
from workflows.models import Run, Transition
from workflows.states import TERMINAL


@dataclass(frozen=True, slots=True)
class Imported:
    """The run, whether this call brought it in, and how many transitions it has."""

    public_id: uuid.UUID
    created: bool
    transitions: int


def import_run(*, tenant_id: int, lines: Iterable[str], live: bool = False, first: int = 1) -> Imported:
    """Bring in the run that an export holds, whole, in one transaction. Importing it again changes nothing.

    A run that has not ended would go on here, and is taken only with `live`, when no work of it is owed and its
    payloads are in the export. `first` is the number of the first line in its file: refusals name lines by it. Raises
    `BadExport`, `TraceBroken`, `ImportRefused`, and what the limits of the tenant say.
    """
    export = read_export(lines, first)
    try:
        _read_rows(export)
        stored, trace = _stored(export), [_line(row) for row in export.rows["transition"]]
        _prove(export, stored, trace)
        _check_end(export, live)
        with tenant_scope(tenant_id) as scope:
            met = Run.objects.for_tenant(tenant_id).filter(public_id=stored.public_id).first()
            if met is None:
                write_export(scope, tenant_id, export)
                _check_stands(tenant_id, export)
            elif bytes(met.chain_head) != stored.chain_head:
                raise ImportRefused("This run is here already, and its trace is another.")
    except InvalidDefinition as error:
        place = f"/{export.place('definition')}/document"
        faults = [{**one, "path": f"{place}{one['path']}"} for one in error.detail if isinstance(one, Mapping)]
        raise BadExport("The definition in the export cannot be run here.", faults) from error
    return Imported(stored.public_id, met is None, len(trace))


def _read_rows(export: Export) -> None:
    """Let every row of the export be as its model keeps it. Raises `BadExport` naming the line."""
    models = {"transition": Transition, "signal": Signal} | {one.kind: one.model for one in parts() if one.is_exported}
    export.run = read_row(Run, export.run, export.place("run"))
    if any(type(count) is not int for count in export.run["visits"].values()):
        raise bad_line(export.place("run"), "bad_value", "visits: Whole numbers.")
    if not all(_is_origin(one) for one in export.run.get("origins", ())):
        raise bad_line(export.place("run"), "bad_value", "origins: Pairs of whole numbers.")
    for kind, rows in export.rows.items():
        places = export.places[kind]
        if kind not in models:
            raise bad_line(places[0], "unknown_kind", "Rows of this kind are not known here.")
        export.rows[kind] = [read_row(models[kind], row, place) for row, place in zip(rows, places, strict=True)]


def _is_origin(one: Any) -> bool:
    return isinstance(one, list) and len(one) == 2 and all(type(part) is int and 0 < part < 2**63 for part in one)


def _stored(export: Export) -> StoredRun:
    return StoredRun(**{name: export.run[name] for name in StoredRun.__dataclass_fields__ if name in export.run})


def _line(row: Row) -> TraceLine:
    return TraceLine(**{name: row[name] for name in TraceLine.__dataclass_fields__})


def _prove(export: Export, stored: StoredRun, trace: list[TraceLine]) -> None:
    inspection = Inspection(export.head["tenant_number"], stored)
    places = export.places["transition"]
    for line, place in zip(trace, places, strict=True):
        try:
            inspection.take(line)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise bad_line(place, "bad_line", "The line of the trace cannot be folded.") from error
    faults = inspection.finish()
    if faults:
        where = [places[min(max(one.seq, 1), len(places)) - 1] for one in faults]
        detail = [
            {"path": f"/{place}", "seq": one.seq, "code": str(one.code), "message": one.message}
            for place, one in zip(where, faults, strict=True)
        ]
        raise TraceBroken("The trace in the export is not intact.", detail)


def _check_stands(tenant_id: int, export: Export) -> None:
    """What was written is what the trace gives, and can be explained: nobody shall stumble over it later."""
    public_id = export.run["public_id"]
    if not rebuild_run(tenant_id=tenant_id, public_id=public_id).is_equal:
        raise TraceBroken
    try:
        explain_run(tenant_id=tenant_id, public_id=public_id)
    except Exception as error:
        message = "What belongs to the run makes no sense: it cannot be explained."
        raise bad_line(export.place("run"), "senseless", message) from error


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
    if {address for address in named if address is not None} - set(export.payloads):
        raise ImportRefused("The run is live and its payloads are not in the export.")
