"""The JSON Schema (draft 2020-12) of a definition, put together from the step kinds that are registered."""

from collections.abc import Mapping
from typing import Any

from workflows.definitions.condition_checks import condition_schema
from workflows.definitions.paths import LONGEST_PATH, PATH_PATTERN
from workflows.steps.base import StepKind, WorkKind
from workflows.steps.registry import kinds

MOST_STEPS = 200
KEY = {"$ref": "#/$defs/key"}
TARGET = {"$ref": "#/$defs/target"}
PATH = {"$ref": "#/$defs/path"}
DURATION = {"$ref": "#/$defs/duration"}
CONDITION = {"$ref": "#/$defs/condition"}
SIGNAL_NAME = {"$ref": "#/$defs/signal_name"}
CORRELATION_NAME = "^[a-z0-9_]{1,50}$"
IRREVERSIBLE = {
    "type": "boolean",
    "description": "what the step does cannot be undone or must not be done again: a replay after it has to be allowed",
}
UNSURE = {
    "enum": ["undo", "settle"],
    "description": "where nobody saw whether the step took effect: undo it all the same, or once somebody says so",
}
COMPENSATE = "what undoes the step when the run fails, or is ended with compensation: a step without a key"


def document_schema() -> dict[str, Any]:
    """A fresh JSON Schema of a definition. What no schema can say (targets, reachability) is left to `validate`."""
    known = dict(sorted(kinds().items()))
    undoing = {name: kind for name, kind in known.items() if isinstance(kind, WorkKind) and kind.may_compensate}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A definition: a notification journey as an ordered list of steps",
        **_closed(_TOP | {"steps": _steps(known)}, required=["key", "steps"]),
        "$defs": _DEFS
        | {"condition": condition_schema(), "start_on": _START_ON, "template": _TEMPLATE}
        | {f"step_{name}": _step(kind) for name, kind in known.items()}
        | {f"compensate_{name}": _compensation(kind) for name, kind in undoing.items()}
        | {"compensate": _chosen(undoing, "compensate", {}) | {"description": COMPENSATE}},
    }


def _steps(known: Mapping[str, StepKind]) -> dict[str, Any]:
    """The list of steps. Each kind has its own schema, chosen by `kind`, so that errors speak of that kind alone."""
    return {"type": "array", "minItems": 1, "maxItems": MOST_STEPS, "items": _chosen(known, "step", {"key": KEY})}


def _chosen(known: Mapping[str, StepKind], form: str, more: Mapping[str, Any]) -> dict[str, Any]:
    """An object whose `kind` chooses its schema."""
    chosen = [
        {
            "if": {"properties": {"kind": {"const": name}}, "required": ["kind"]},
            "then": {"$ref": f"#/$defs/{form}_{name}"},
        }
        for name in known
    ]
    properties = {**more, "kind": {"enum": list(known)}}
    return {"type": "object", "properties": properties, "required": list(properties), "allOf": chosen}


def _step(kind: StepKind) -> dict[str, Any]:
    common: dict[str, Any] = {"key": KEY, "kind": {"const": kind.name}, "name": {"type": "string", "maxLength": 200}}
    if kind.outcomes:
        common["on_outcome"] = _closed(dict.fromkeys(sorted(kind.outcomes), TARGET)) | {"minProperties": 1}
    if isinstance(kind, WorkKind):
        common |= {"irreversible": IRREVERSIBLE, "compensate": {"$ref": "#/$defs/compensate"}}
    own = dict(kind.schema)
    properties = common | dict(own.pop("properties", {}))
    return own | _closed(properties, required=list(own.get("required", ())))


def _compensation(kind: StepKind) -> dict[str, Any]:
    """The keys of a step of that kind which undoes another: it leads nowhere and brings nothing back."""
    own = dict(kind.schema)
    properties = {name: value for name, value in own.pop("properties", {}).items() if name != "answer"}
    properties["unsure"] = UNSURE
    return own | _closed({"kind": {"const": kind.name}, **properties}, required=["kind", *own.get("required", ())])


def _closed(properties: Mapping[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    closed = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return closed | {"required": required} if required else closed


_NAMES = {"type": "string", "pattern": CORRELATION_NAME, "description": "1 to 50 of the letters a-z, digits and _"}
_TEXT = {"type": "string", "maxLength": 32768}

_TOP: dict[str, Any] = {
    "key": KEY,
    "name": {"type": "string", "maxLength": 200},
    "description": {"type": "string", "maxLength": 2000},
    "start_on": {"$ref": "#/$defs/start_on"},
    "correlation": {"type": "array", "items": _NAMES, "maxItems": 8, "uniqueItems": True},
    "category": KEY,
    "deadline": DURATION,
    "data_schema": {"$ref": "#/$defs/data_schema"},
    "templates": {
        "type": "object",
        "propertyNames": KEY,
        "additionalProperties": {"$ref": "#/$defs/template"},
        "maxProperties": 50,
    },
}

_START_ON = _closed(
    {
        "signal": SIGNAL_NAME,
        "subject": PATH,
        "correlate": {"type": "object", "propertyNames": _NAMES, "additionalProperties": PATH, "maxProperties": 8},
        "when": CONDITION,
    },
    required=["signal", "subject"],
)

_TEMPLATE = _closed(
    {
        "subject": {"type": "string", "maxLength": 1000},
        "title": {"type": "string", "maxLength": 1000},
        "text": _TEXT,
        "html": _TEXT,
    },
    required=["text"],
)

_DEFS: dict[str, Any] = {
    "key": {
        "type": "string",
        "pattern": "^[a-z0-9_]{1,64}$",
        "description": "1 to 64 of the letters a-z, digits and _",
    },
    "signal_name": {
        "type": "string",
        "pattern": r"^[a-z0-9_]+(\.[a-z0-9_]+)*$",
        "maxLength": 100,
        "description": "a name such as invoice.paid: a-z, 0-9 and _, dots between its parts, at most 100 characters",
    },
    "path": {
        "type": "string",
        "pattern": PATH_PATTERN,
        "maxLength": LONGEST_PATH,
        "description": "a dotted path such as data.customer_id, run.subject or run.correlation.order_id",
    },
    "data_schema": {
        "type": "object",
        "description": "a JSON Schema (draft 2020-12) of the data that a run starts with",
    },
    "duration": {"type": "string", "format": "duration", "maxLength": 40},
    "target": {
        "description": "next, complete, {goto: <step key>} or {stop: <reason>}",
        "oneOf": [
            {"enum": ["next", "complete"]},
            _closed({"goto": KEY}, required=["goto"]),
            _closed({"stop": KEY, "compensate": {"type": "boolean"}}, required=["stop"]),
        ],
    },
}
