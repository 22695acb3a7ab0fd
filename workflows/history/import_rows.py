"""Writing what an export holds, under the ids that its rows get here."""

from collections.abc import Iterable
from typing import Any

from chimeway_py.errors import Conflict
from signals_app.models import Signal
from signals_app.services.payloads import canonical, write_payloads
from tenants.limits.kinds import LimitKind
from tenants.limits.taking import take
from tenants.scope import Scope
from workflows.history.export_file import Export, Row, bad_line
from workflows.history.export_rows import insert
from workflows.history.foreign_definitions import definition_for
from workflows.history.json_rows import payload_columns
from workflows.history.parts import Part, parts
from workflows.models import Run, Transition
from workflows.states import TERMINAL
from workflows.store.answers import GONE

Ids = dict[Any, dict[int, int]]
"""The id that each row has now, by model and by the id that it had."""


class ImportRefused(Conflict):
    """The run cannot be brought into this tenant. Nothing was written."""

    code = "import_refused"


def write_export(scope: Scope, tenant_id: int, export: Export) -> None:
    """Write a run with all that belongs to it. Its rows are as `read_row` gives them.

    It counts towards the limits of the tenant as a start does. Raises `BadExport` naming the line of a row that cannot
    be written, `ImportRefused` for a name that is taken, `LimitReached` and `BeyondLimit`.
    """
    texts = {address: canonical(body) for address, body in export.payloads.items()}
    _take(tenant_id, export, texts.values())
    addresses = write_payloads(tenant_id=tenant_id, texts=texts.values())
    here = {address: addresses[text] for address, text in texts.items()}
    run = _run(scope, tenant_id, export, here)
    ids: Ids = {Run: {export.run["id"]: run.pk}, Signal: _signals(scope, tenant_id, export, here)}
    trace = [row | {"run_id": run.pk} for row in export.rows["transition"]]
    insert(Transition, _without_ids(Transition, tenant_id, trace), export.places["transition"])
    for part in parts():
        _write_part(part, tenant_id, export, ids, here)


def _take(tenant_id: int, export: Export, texts: Iterable[str]) -> None:
    wanted = {
        LimitKind.STARTS_PER_MINUTE: 1,
        LimitKind.LIVE_RUNS: int(export.run["state"] not in TERMINAL),
        LimitKind.PAYLOAD_BYTES_PER_DAY: sum(len(text.encode()) for text in texts),
    }
    take(tenant_id, wanted)


def _run(scope: Scope, tenant_id: int, export: Export, addresses: dict[bytes, bytes]) -> Run:
    row = export.run
    runs = Run.objects.for_tenant(tenant_id)
    original = runs.filter(public_id=export.head["replayed_from"]).first() if export.head.get("replayed_from") else None
    origin = [export.head["tenant_number"], row["seq"]]
    row = row | {
        "definition_id": definition_for(scope, tenant_id, export.definition).pk,
        "replayed_from_id": original.pk if original else None,
        "data_sha": None if row["data_sha"] is None else addresses.get(row["data_sha"], GONE),
        "origins": [*row.get("origins", []), origin],
    }
    taken = row["idempotency_key"] and runs.filter(
        definition_key=row["definition_key"], idempotency_key=row["idempotency_key"]
    )
    if taken and taken.exists():
        raise ImportRefused("Another run was started here under the idempotency key of this one.")
    [run] = made = _without_ids(Run, tenant_id, [row])
    insert(Run, made, [export.place("run")])
    return run  # type: ignore[no-any-return]


def _signals(scope: Scope, tenant_id: int, export: Export, addresses: dict[bytes, bytes]) -> dict[int, int]:
    """The signals that the run was told of: those that are here, else copies that nothing else looks back for."""
    ids = {}
    for place, row in zip(export.places.get("signal", ()), export.rows.get("signal", ()), strict=True):
        name = {"tenant_id": tenant_id, "source": row["source"], "external_id": row["external_id"]}
        met = Signal.objects.filter(**name).first()
        if met is not None and met.public_id != row["public_id"]:
            raise ImportRefused("Another signal is here under the name of one that the run was told of.")
        if met is None:
            own = {"payload_sha": addresses.get(row["payload_sha"]), "routed_at": row["routed_at"] or scope.now}
            [met] = made = _without_ids(Signal, tenant_id, [row | own])
            insert(Signal, made, [place])
        ids[row["id"]] = met.pk
    return ids


def _write_part(part: Part, tenant_id: int, export: Export, ids: Ids, addresses: dict[bytes, bytes]) -> None:
    model, named = part.model, payload_columns(part.model)
    rows, places = export.rows.get(part.kind, []), export.places.get(part.kind, [])
    rows = [row | {column: addresses.get(row[column]) for column in named if row.get(column)} for row in rows]
    made = _without_ids(model, tenant_id, [_renamed(model, row, ids) for row in rows])
    for row, content, place in zip(made, export.contents.get(part.kind, ()), places, strict=True):
        if content is not None and part.is_sealed:
            _seal(row, content, place)
    insert(model, made, places)
    ids[model] = dict(zip((row["id"] for row in rows), (row.pk for row in made), strict=True))
    _link(model, rows, made, ids)


def _seal(row: Any, content: Any, place: int) -> None:
    try:
        row.seal(content)
    except (TypeError, ValueError) as error:
        raise bad_line(place, "bad_value", "content: Not what such a row says.") from error


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
