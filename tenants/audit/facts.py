"""What a row says, so that two moments of it can be compared and told: never a secret, a payload or a person."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from django.db.models import BinaryField, Field, Model

from tenants.admin.paging import ref_of
from tenants.services.operators import Act
from tenants.vault.columns import sealed_columns

HIDDEN = "(hidden)"
LONGEST = 200  # characters; of longer ones the length and a digest are told
NOT_COMPARED = frozenset({"id", "tenant", "updated_at", "chain_head", "seq"})
#: What names people, or is what they wrote. Whoever erases them does not look into this record.
OF_PEOPLE = frozenset(
    {"subject", "subjects", "external_id", "correlation", "attributes", "addresses", "data", "answer"}
)

Facts = Mapping[str, tuple[Any, Any]]  # name -> what is told, what is compared
Changes = dict[str, list[Any]]  # name -> [before, after]


def facts_of(row: Model | None) -> Facts:
    """The fields of a row as they stand in memory; none of no row."""
    if row is None:
        return {}
    sealed = {one.column for one in sealed_columns() if one.table == row._meta.db_table}
    return {
        field.name: _fact(field, getattr(row, field.attname), hidden=field.column in sealed or field.name in OF_PEOPLE)
        for field in row._meta.concrete_fields
        if field.name not in NOT_COMPARED
    }


def changes_since(before: Facts, row: Model | None) -> Changes:
    """What is different in the database now. `row` names where to look; a row that is gone has nothing after."""
    now = facts_of(None if row is None else type(row)._base_manager.filter(pk=row.pk).first())
    return compared(before, now)


def compared(before: Facts, after: Facts) -> Changes:
    """[before, after] of each field that differs."""
    nothing = (None, None)
    names = [name for name in {**before, **after} if before.get(name, nothing)[1] != after.get(name, nothing)[1]]
    return {name: [before.get(name, nothing)[0], after.get(name, nothing)[0]] for name in names}


def with_changes(acts: Iterable[Act], rows: Sequence[Model], before: Mapping[Any, Facts]) -> list[Act]:
    """The acts, each with what became different of its row. `before` is by key."""
    done = list(acts)
    by_ref = {ref_of(row): row for row in rows}
    now = {one.pk: one for one in type(rows[0])._base_manager.filter(pk__in=[row.pk for row in rows])} if rows else {}
    told = []
    for position, act in enumerate(done):
        row = by_ref.get(act.object_ref) or (rows[position] if len(rows) == len(done) else None)
        changes = compared(before.get(row.pk, {}), facts_of(now.get(row.pk))) if row is not None else {}
        told.append(replace(act, changes=changes))
    return told


def _fact(field: "Field[Any, Any]", value: Any, *, hidden: bool) -> tuple[Any, Any]:
    if isinstance(value, memoryview):
        value = bytes(value)
    if value in (None, "", b"", [], {}):
        return None, None
    if hidden or isinstance(field, BinaryField):
        return HIDDEN, value
    return _told(value), value


def _told(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    text = json.dumps(value, sort_keys=True, default=str) if isinstance(value, list | dict) else str(value)
    if len(text) <= LONGEST:
        return text
    return f"{len(text)} characters, SHA-256 {hashlib.sha256(text.encode()).hexdigest()[:12]}…"
