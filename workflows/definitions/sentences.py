"""What the JSON Schema validator found, said so that a person can mend it: the field, what is wrong, what to write."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jsonschema.exceptions import ValidationError, best_match

from chimeway_py.errors import fault
from workflows.definitions.did_you_mean import did_you_mean

_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
_BOUNDS = {
    "minItems": "must have {} or more entries",
    "maxItems": "may have at most {} entries",
    "minLength": "must have at least {} characters",
    "maxLength": "may have at most {} characters",
    "minProperties": "must have {} or more entries",
    "maxProperties": "may have at most {} entries",
    "minimum": "must be at least {}",
    "maximum": "may be at most {}",
    "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}",
    "uniqueItems": "names something twice",
}

_CODES = {"type": "type", "enum": "choice", "const": "choice", "pattern": "pattern", "uniqueItems": "duplicate"}


def pointer(parts: Iterable[str | int]) -> str:
    """The JSON Pointer (RFC 6901) of a place given by its keys and positions."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def faults_of(error: ValidationError) -> Iterator[dict[str, str]]:
    """The faults that one error of the validator stands for: one per unknown or missing key, else one."""
    path, instance, value = pointer(error.absolute_path), _instance(error), _value(error)
    if "propertyNames" in error.absolute_schema_path:
        path += pointer([instance])
    if error.validator == "additionalProperties" and isinstance(instance, Mapping):
        yield from _unknown_keys(error, path)
    elif error.validator == "required":
        for name in (name for name in value if name not in instance):
            yield fault(f"{path}{pointer([name])}", "required", f"`{name}` is missing.{_says(error, name)}")
    elif error.validator in {"oneOf", "anyOf"} and "description" not in _schema_of(error):
        yield from faults_of(best_match(error.context) or error) if error.context else ()
    else:
        yield fault(path, _code(error), f"{_field(error)} {_wrong(error)}")


def _unknown_keys(error: ValidationError, path: str) -> Iterator[dict[str, str]]:
    known = list(_schema_of(error).get("properties", {}))
    for name in (name for name in _instance(error) if name not in known):
        hint = did_you_mean(str(name), known) or f" Known here: {', '.join(known)}."
        yield fault(f"{path}{pointer([name])}", "unknown_key", f"There is no key `{str(name)[:64]}` here.{hint}")


def _code(error: ValidationError) -> str:
    if error.validator == "format":
        return str(error.validator_value).replace("-", "_")
    return _CODES.get(str(error.validator), "size" if error.validator in _BOUNDS else "shape")


def _field(error: ValidationError) -> str:
    if "propertyNames" in error.absolute_schema_path:
        return f"The name {str(error.instance)[:64]!r}"
    names = [part for part in error.absolute_path if isinstance(part, str)]
    if not error.absolute_path:
        return "The document"
    last = error.absolute_path[-1]
    return f"`{last}`" if isinstance(last, str) else f"Entry {last + 1} of `{names[-1]}`"


def _wrong(error: ValidationError) -> str:
    value = _value(error)
    if error.cause is not None:
        return f"is not valid: {error.cause}"
    if error.validator in _BOUNDS:
        return _BOUNDS[error.validator].format(value) + "."
    if error.validator == "enum":
        known = [str(one) for one in value]
        return f"must be one of {', '.join(known)}.{did_you_mean(str(error.instance), known)}"
    if error.validator == "type" and value == "boolean":
        return f"must be true or false, not {_type_of(_instance(error))}."
    if "description" in _schema_of(error):
        return f"must be {_schema_of(error)['description']}."
    if error.validator == "type":
        expected = " or ".join(_TYPES[name] for name in ([value] if isinstance(value, str) else value))
        return f"must be {expected}, not {_type_of(_instance(error))}."
    return f"must be {value!r}." if error.validator == "const" else "does not have the right form."


def _says(error: ValidationError, name: str) -> str:
    declared = _schema_of(error).get("properties", {}).get(name, {})
    return f" It is {declared['description']}." if "description" in declared else ""


def _instance(error: ValidationError) -> Any:
    return error.instance


def _value(error: ValidationError) -> Any:
    return error.validator_value


def _schema_of(error: ValidationError) -> Mapping[str, Any]:
    return error.schema if isinstance(error.schema, Mapping) else {}


def _type_of(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "null" if value is None else "true or false"
    for kind, name in ((str, "a text"), (Mapping, "a mapping"), (list, "a list")):
        if isinstance(value, kind):
            return name
    return "a number"
