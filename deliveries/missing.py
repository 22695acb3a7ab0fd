"""Variables that a message would look for in vain, by what a definition says of the data of its runs."""

from collections.abc import Iterator, Mapping
from typing import Any

from chimeway_py.errors import fault
from chimeway_py.rendering import TemplateFault, needs_of
from chimeway_py.rendering.needs import Needed
from workflows.definitions.did_you_mean import did_you_mean

Fault = dict[str, str]
Parts = Mapping[str, str]

# Keywords with which a schema says more than its `properties` do: what they allow is not judged here.
_OPEN = frozenset({"allOf", "anyOf", "oneOf", "if", "not", "dependentSchemas", "patternProperties", "const", "enum"})
_OF_EVERYTHING = frozenset({"size", "first", "last"})  # what Liquid itself knows of lists and texts


def missing_variables(document: Mapping[str, Any], parts: Parts) -> Iterator[tuple[str, str, str]]:
    """(part, code, message) for each variable of a template that a run of this definition may not have.

    Nothing is said without a `data_schema`, of data that the schema leaves open, of what steps answer, and of variables
    that the template tests or gives a default.
    """
    schema = document.get("data_schema")
    if not isinstance(schema, Mapping):
        return
    steps = document.get("steps", [])
    answers = {step.get("answer") for step in steps if isinstance(step, Mapping)}
    for part, source in parts.items():
        for path in sorted(_needs(source, part), key=str):
            if path[0] == "data" and len(path) > 1 and path[1] not in answers:
                yield from ((part, code, told) for code, told in _judged(schema, path))


def schema_faults(document: Mapping[str, Any], parts: Parts, path: str) -> Iterator[Fault]:
    """The same as faults below `path`."""
    for part, code, message in missing_variables(document, parts):
        yield fault(f"{path}/{part}", code, message)


def _needs(source: Any, part: str) -> set[Needed]:
    try:
        return needs_of(source if isinstance(source, str) else "", html=part == "html")
    except TemplateFault:
        return set()  # a fault of its own, told by whoever reads the template


def _judged(schema: Any, path: Needed) -> Iterator[tuple[str, str]]:
    written = ".".join(map(str, path))
    for segment in path[1:]:
        if not isinstance(schema, Mapping) or _OPEN & set(schema) or segment in _OF_EVERYTHING:
            return
        if isinstance(segment, int):
            schema = schema.get("items")
            continue
        properties = schema.get("properties")
        if not isinstance(properties, Mapping):
            return
        if segment not in properties:
            if not schema.get("additionalProperties"):
                hint = did_you_mean(segment, list(properties)) or " Declare it there, or use `default` or `if`."
                yield "undeclared_variable", f"data_schema has no {written}.{hint}"
            return
        if segment not in schema.get("required", ()):
            told = f"data_schema does not require {written}: use `default` or `if`, or require it."
            yield "optional_variable", told
            return
        schema = properties[segment]
