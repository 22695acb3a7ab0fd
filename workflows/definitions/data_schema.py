"""`data_schema`: what the data of a run must look like, as JSON Schema without the parts that cost or reach out."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend

from chimeway_py.errors import fault
from workflows.definitions.sentences import faults_of, pointer

_REFUSED = {
    "$ref": "References are not followed; write the schema in place.",
    "$dynamicRef": "References are not followed; write the schema in place.",
    "pattern": "Regular expressions are not run on data; use `enum`, `minLength` or a condition.",
    "patternProperties": "Regular expressions are not run on data; name the properties.",
}
_NAMED = frozenset({"properties", "$defs", "dependentSchemas"})
_LITERAL = frozenset({"const", "enum", "default", "examples"})
MOST_FAULTS = 50
CHECK_SECONDS = 0.5  # of processor time


def check_data_schema(schema: Mapping[str, Any], path: str) -> Iterator[dict[str, str]]:
    """Every fault of a `data_schema` that lies at JSON Pointer `path`."""
    yield from _refused(schema, path)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = path + pointer(error.absolute_path)
        yield fault(place, "data_schema", f"This is not JSON Schema (draft 2020-12): {_first_line(error.message)}.")


def data_faults(document: Mapping[str, Any], data: Any) -> list[dict[str, str]]:
    """The faults of a run's start data against the document's `data_schema`, at most 50; none without a schema.

    Data that takes too long to check is at fault: a few thousand schemas for each of a few thousand items, say.
    """
    if "data_schema" not in document:
        return []
    try:
        with patience():
            return _faults(document["data_schema"], data)
    except _TooLong:
        return [fault("", "data_schema", "This takes too long to check against the definition's data_schema.")]


def _faults(schema: Mapping[str, Any], data: Any) -> list[dict[str, str]]:
    faults: list[dict[str, str]] = []
    for error in _Validator(schema).iter_errors(data):
        faults += faults_of(error)
        if len(faults) >= MOST_FAULTS:
            break
    return faults[:MOST_FAULTS]


_ends_at: ContextVar[float | None] = ContextVar("data_check_ends_at", default=None)


@contextmanager
def patience() -> Iterator[None]:
    """All that is checked inside shares one `CHECK_SECONDS`: a request with many runs has no more than one with one."""
    if _ends_at.get() is not None:
        yield
        return
    token = _ends_at.set(time.thread_time() + CHECK_SECONDS)
    try:
        yield
    finally:
        _ends_at.reset(token)


class _TooLong(Exception):
    """The data used up its processor time."""


def _timed(keyword: Any) -> Any:
    """A keyword that looks at the clock first. None of them takes long by itself."""

    def look(*arguments: Any) -> Any:
        ends_at = _ends_at.get()
        if ends_at is not None and time.thread_time() > ends_at:
            raise _TooLong
        return keyword(*arguments)

    return look


def _unique_items(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """Items are compared by what they are written as: the library's own compares each with each."""
    if wanted and validator.is_type(instance, "array") and len(set(map(_written, instance))) < len(instance):
        yield ValidationError("has items that are alike")


_KEYWORDS = {**Draft202012Validator.VALIDATORS, "uniqueItems": _unique_items}
_Validator: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {name: _timed(keyword) for name, keyword in _KEYWORDS.items()}
)


def _written(value: Any) -> str:
    return json.dumps(_as_number(value), sort_keys=True)


def _as_number(value: Any) -> Any:
    """1 and 1.0 are the same number to JSON Schema; 1 and true are not."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_as_number(item) for item in value]
        case dict():
            return {name: _as_number(member) for name, member in value.items()}
    return value


def _refused(schema: Any, path: str) -> Iterator[dict[str, str]]:
    """Refused keywords, looked for where schemas stand and not among names of properties or literal values."""
    if isinstance(schema, list):
        for position, child in enumerate(schema):
            yield from _refused(child, f"{path}/{position}")
    if not isinstance(schema, Mapping):
        return
    for word, child in schema.items():
        place = path + pointer([word])
        if word in _REFUSED:
            yield fault(place, "data_schema", _REFUSED[word])
        elif word in _NAMED and isinstance(child, Mapping):
            for name, named in child.items():
                yield from _refused(named, place + pointer([name]))
        elif word not in _LITERAL:
            yield from _refused(child, place)


def _first_line(message: str) -> str:
    return message.splitlines()[0][:200]
