"""The shape of a definition, checked against its schema."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from workflows.definitions.durations import parse_duration
from workflows.definitions.schema import document_schema
from workflows.definitions.sentences import faults_of
from workflows.steps.registry import kinds

_formats = FormatChecker(formats=())


def shape_faults(raw: Any) -> list[dict[str, str]]:
    """Every fault of shape, in the order of the document, each once."""
    errors = _validator(frozenset(kinds())).iter_errors(raw)
    found = (one for error in errors for one in faults_of(error))
    return list({(one["path"], one["message"]): one for one in found}.values())


@lru_cache(maxsize=8)
def _validator(_names: frozenset[str]) -> Validator:
    """The validator for the registered kinds. Conditions and data schemas are left to checks that explain better."""
    schema = document_schema()
    schema["$defs"] |= {"condition": {}, "data_schema": {"type": "object"}}
    return _Strict(schema, format_checker=_formats)


def _whole_pattern(
    _validator: Validator, pattern: str, instance: Any, _schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    """`pattern` as ECMA 262 means it: Python's `$` would also accept a newline at the end."""
    if isinstance(instance, str) and not re.search(pattern.removesuffix("$") + r"\Z", instance):
        yield ValidationError("does not match")


_Strict: type[Validator] = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"pattern": _whole_pattern}
)


@_formats.checks("duration", raises=ValueError)
def _is_duration(value: object) -> bool:
    return not isinstance(value, str) or parse_duration(value) is not None


@_formats.checks("date-time", raises=ValueError)
def _is_instant(value: object) -> bool:
    if isinstance(value, str) and datetime.fromisoformat(value).tzinfo is None:
        raise ValueError("An instant needs its offset, for example 2027-01-31T09:00:00+01:00.")
    return True
