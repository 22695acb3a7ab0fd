"""Rows of an export as this service can keep them: every column of the right kind, within its limits, or refused.

What is brought in was written by somebody else. A value that the database would refuse, or that would be stumbled over
when it is read, is found here, so that the line can be named.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import DataError, IntegrityError, InternalError, connection, models, transaction

from chimeway_py.text import is_storable
from workflows.history.export_file import Row, bad_line
from workflows.history.json_rows import from_json

_BATCH = 500
_YEARS = range(1900, 9999)


def read_row(model: type[models.Model], row: Mapping[str, Any], number: int) -> Row:
    """The values of a row as its model keeps them. Raises `BadExport` naming the line and the column."""
    try:
        read = from_json(model, row)
    except KeyError as error:
        raise bad_line(number, "missing", f"There is no column {error.args[0]}.") from error
    except (TypeError, ValueError) as error:
        raise bad_line(number, "bad_line", f"A column cannot be read: {error}.") from error
    for field in model._meta.concrete_fields:
        why = _why_not(field, read[field.attname]) if field.attname in read else ""
        if why:
            raise bad_line(number, "bad_value", f"{field.attname}: {why}")
    return read


def insert(model: type[Any], made: Sequence[Any], numbers: Sequence[int]) -> None:
    """Write rows. Raises `BadExport` naming the line of the first that contradicts another, or one that is here."""
    try:
        with transaction.atomic():
            model._default_manager.bulk_create(made, batch_size=_BATCH)
    except (DataError, IntegrityError, InternalError):
        for row, number in zip(made, numbers, strict=True):
            _insert_one(model, row, number)


def _insert_one(model: type[Any], row: Any, number: int) -> None:
    try:
        with transaction.atomic():
            model._default_manager.bulk_create([row])
    except (DataError, IntegrityError, InternalError) as error:
        message = "The row contradicts another one, of the export or of those that are here."
        raise bad_line(number, "contradiction", message) from error


def _why_not(field: "models.Field[Any, Any]", value: Any) -> str:
    """Why a value cannot stand in a column; "" when it can."""
    if value is None:
        return "" if field.null or field.is_relation else "It cannot be null."
    if field.is_relation:
        return "" if _is_whole(value) else "A whole number."
    match field:
        case models.BooleanField():
            return "" if isinstance(value, bool) else "True or false."
        case models.IntegerField():
            return _integer(field, value)
        case models.DateTimeField():
            return _instant(value)
        case models.JSONField():
            return _json(field, value)
        case models.BinaryField():
            return "" if not field.max_length or len(value) <= field.max_length else "It is too long."
        case models.CharField() | models.TextField():
            return _text(field, value)
    return ""


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _integer(field: "models.Field[Any, Any]", value: Any) -> str:
    low, high = connection.ops.integer_field_range(field.get_internal_type())
    return "" if _is_whole(value) and (low or 0) <= value <= (high or 0) else f"A whole number from {low} to {high}."


def _instant(value: datetime) -> str:
    return "" if value.tzinfo is not None and value.year in _YEARS else "An instant with its offset."


def _json(field: "models.Field[Any, Any]", value: Any) -> str:
    """Objects stay objects and lists stay lists: whoever reads them counts on it."""
    kind = type(field.get_default())
    return "" if kind not in (dict, list) or isinstance(value, kind) else "An object." if kind is dict else "A list."


def _text(field: "models.Field[Any, Any]", value: Any) -> str:
    if not is_storable(value, field.max_length or 2**20):
        return f"Text of at most {field.max_length} characters."
    known = [str(one) for one, _ in field.flatchoices]
    return "" if not known or not value or value in known else f"One of {', '.join(known)}."
