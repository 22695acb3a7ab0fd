"""`data_schema`: what the data of a run must look like, as JSON Schema without the parts that cost or reach out."""

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

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


def check_data_schema(schema: Mapping[str, Any], path: str) -> Iterator[dict[str, str]]:
    """Every fault of a `data_schema` that lies at JSON Pointer `path`."""
    yield from _refused(schema, path)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = path + pointer(error.absolute_path)
        yield fault(place, "data_schema", f"This is not JSON Schema (draft 2020-12): {_first_line(error.message)}.")


def data_faults(document: Mapping[str, Any], data: Any) -> list[dict[str, str]]:
    """The faults of a run's start data against the document's `data_schema`, at most 50; none without a schema."""
    if "data_schema" not in document:
        return []
    faults: list[dict[str, str]] = []
    for error in Draft202012Validator(document["data_schema"]).iter_errors(data):
        faults += faults_of(error)
        if len(faults) >= MOST_FAULTS:
            break
    return faults[:MOST_FAULTS]


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
