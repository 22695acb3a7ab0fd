"""Rows of any model as plain JSON, and back: what an export is made of."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import models

Row = dict[str, Any]
PAGE = 500  # rows in one statement
_OWN = {"tenant_id"}  # is said once, in the head of an export


def columns_of(model: type[models.Model]) -> list[str]:
    """The columns that an export keeps; `id` is the name by which other rows of it refer to this one."""
    return [field.attname for field in model._meta.concrete_fields if field.attname not in _OWN]


def payload_columns(model: type[models.Model]) -> list[str]:
    """The columns that name payloads: by convention those that end in `_sha`."""
    return [name for name in columns_of(model) if name.endswith("_sha")]


def pages(rows: models.QuerySet[Any], columns: Sequence[str]) -> Iterator[Row]:
    """These columns of every row, in the order of `id`, read `PAGE` at a time."""
    after = 0
    while True:
        page = list(rows.filter(id__gt=after).order_by("id").values(*columns)[:PAGE])
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1]["id"]


def as_json(row: Mapping[str, Any]) -> Row:
    """The values of a row in plain JSON: bytes in hexadecimal, instants in UTC."""
    return {name: _plain(value) for name, value in row.items()}


def from_json(model: type[models.Model], row: Mapping[str, Any]) -> Row:
    """The values of an exported row as the model keeps them; columns that it does not know are left out.

    A column that the row does not say, because it is younger than the export, is as in a new row.

    Raises `KeyError` for a column that it cannot do without, `ValueError` or `TypeError` for what cannot be read.
    """
    fields = {field.attname: field for field in model._meta.concrete_fields if field.attname not in _OWN}
    missing = [name for name, field in fields.items() if name not in row and _is_needed(field)]
    if missing:
        raise KeyError(*missing)
    young = {name: field.get_default() for name, field in fields.items() if not field.has_db_default()}
    return young | {name: _read(fields[name], value) for name, value in row.items() if name in fields}


def _plain(value: Any) -> Any:
    match value:
        case bytes() | memoryview():
            return bytes(value).hex()
        case datetime():
            return value.astimezone(UTC).isoformat()
        case uuid.UUID():
            return str(value)
    return value


def _is_needed(field: "models.Field[Any, Any]") -> bool:
    return not (field.null or field.has_default() or field.has_db_default())


def _read(field: "models.Field[Any, Any]", value: Any) -> Any:
    if value is None:
        return None
    read = _READERS.get(field.get_internal_type())
    if read is None:
        return value
    if not isinstance(value, str):
        raise TypeError(f"{field.attname} is no text")
    return read(value)


_READERS: dict[str, Callable[[Any], Any]] = {
    "BinaryField": bytes.fromhex,
    "DateTimeField": datetime.fromisoformat,
    "UUIDField": uuid.UUID,
}
