"""The faults of a condition, found when a definition is saved, so that judging one never meets them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from chimeway_py.errors import fault
from workflows.definitions.conditions import DEEPEST, MOST_CLAUSES, OPERATORS
from workflows.definitions.did_you_mean import did_you_mean

_SHAPE = "A condition is {all: […]}, {any: […]}, {not: …} or {path: …, <operator>: value}."
PathCheck = Callable[[Any], str | None]
"""Answers what is wrong with a path, or None."""

_ORDERING = {"lt", "lte", "gt", "gte"}


def check_condition(tree: Any, path: str, path_fault: PathCheck) -> Iterator[dict[str, str]]:
    """Every fault of a condition that lies at JSON Pointer `path` and whose paths `path_fault` accepts."""
    budget = [MOST_CLAUSES]
    yield from _check(tree, path, path_fault, DEEPEST, budget)
    if budget[0] < 0:
        yield fault(path, "condition_size", f"A condition has at most {MOST_CLAUSES} clauses.")


def condition_schema() -> dict[str, Any]:
    """The JSON Schema of a condition, for a document whose `$defs` names it `condition`."""
    scalar = {"type": ["string", "number", "boolean", "null"]}
    clause = {"$ref": "#/$defs/condition"}
    group = {"type": "array", "items": clause, "minItems": 1, "maxItems": MOST_CLAUSES}
    wanted: dict[str, dict[str, Any]] = dict.fromkeys(OPERATORS, scalar)
    wanted |= {op: {"type": ["string", "number"]} for op in _ORDERING}
    members = {"type": "array", "items": scalar, "minItems": 1, "maxItems": 100}
    wanted |= {"in": members, "not_in": members, "exists": {"type": "boolean"}, "starts_with": {"type": "string"}}
    return {
        "description": _SHAPE,
        "type": "object",
        "oneOf": [
            *(_closed({"all": group}), _closed({"any": group}), _closed({"not": clause})),
            *(_closed({"path": {"$ref": "#/$defs/path"}, op: wanted[op]}) for op in OPERATORS),
        ],
    }


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {"properties": properties, "required": list(properties), "additionalProperties": False}


def _check(tree: Any, path: str, path_fault: PathCheck, depth: int, budget: list[int]) -> Iterator[dict[str, str]]:
    budget[0] -= 1
    if budget[0] < 0:
        return
    if depth < 0:
        yield fault(path, "condition_depth", f"A condition is nested at most {DEEPEST} deep.")
    elif not isinstance(tree, Mapping):
        yield fault(path, "condition", _SHAPE)
    elif "path" in tree:
        yield from _check_clause(tree, path, path_fault)
    elif len(tree) == 1 and next(iter(tree)) in {"all", "any"}:
        yield from _check_group(tree, path, path_fault, depth, budget)
    elif set(tree) == {"not"}:
        yield from _check(tree["not"], f"{path}/not", path_fault, depth - 1, budget)
    else:
        yield fault(path, "condition", _SHAPE)


def _check_group(
    tree: Mapping[str, Any], path: str, path_fault: PathCheck, depth: int, budget: list[int]
) -> Iterator[dict[str, str]]:
    ((word, clauses),) = tree.items()
    if not isinstance(clauses, list) or not clauses:
        yield fault(f"{path}/{word}", "condition", f"`{word}` is a list of at least one condition.")
        return
    for position, clause in enumerate(clauses[: MOST_CLAUSES + 1]):
        yield from _check(clause, f"{path}/{word}/{position}", path_fault, depth - 1, budget)


def _check_clause(tree: Mapping[str, Any], path: str, path_fault: PathCheck) -> Iterator[dict[str, str]]:
    wrong = path_fault(tree["path"])
    if wrong:
        yield fault(f"{path}/path", "path", wrong)
    operators = [key for key in tree if key != "path"]
    unknown = [key for key in operators if key not in OPERATORS]
    for key in unknown:
        hint = did_you_mean(str(key), OPERATORS) or f" Operators: {', '.join(OPERATORS)}."
        yield fault(path, "operator", f"There is no operator {str(key)[:64]!r}.{hint}")
    if not unknown and len(operators) != 1:
        yield fault(path, "operator", "A clause has exactly one operator; put several into {all: […]}.")
    elif not unknown:
        wrong = _value_fault(operators[0], tree[operators[0]])
        if wrong:
            yield fault(f"{path}/{operators[0]}", "condition_value", wrong)


def _value_fault(op: str, wanted: Any) -> str | None:
    if op == "exists":
        return None if isinstance(wanted, bool) else "`exists` is true or false."
    if op in {"in", "not_in"}:
        fits = isinstance(wanted, list) and 0 < len(wanted) <= 100 and all(map(_is_scalar, wanted))
        return None if fits else f"`{op}` is a list of 1 to 100 texts, numbers, booleans or nulls."
    if op in _ORDERING:
        fits = isinstance(wanted, str | int | float) and not isinstance(wanted, bool)
        return None if fits else f"`{op}` compares with a number or a text."
    if op == "starts_with":
        return None if isinstance(wanted, str) else "`starts_with` compares with a text."
    return None if _is_scalar(wanted) else f"`{op}` compares with a text, a number, a boolean or null."


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)
