"""Conditions: a small tree over facts, judged without exceptions, that can say which clause decided.

    {all: [clause, …]}   {any: [clause, …]}   {not: clause}   {path: data.amount, gte: 100}

There are no regular expressions and no calls, so a condition costs no more than its size. `condition_checks` refuses a
malformed tree when a definition is saved; `evaluate` still answers one, with "not held".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.crypto import salted_hmac

from workflows.definitions.checksum import canonical_json
from workflows.definitions.paths import MISSING, lookup

DEEPEST = 8
MOST_CLAUSES = 100
OPERATORS = ("eq", "ne", "lt", "lte", "gt", "gte", "in", "not_in", "contains", "starts_with", "exists")


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a condition held, and the clause that decided. Has the type and digest of the input, never the value.

    `pointer` is the JSON Pointer of the clause inside the condition. `reason` is `missing`, `incomparable` or
    `malformed` when no comparison was possible. `because` lists the clauses when no single one decided.
    """

    held: bool
    pointer: str
    op: str
    path: str = ""
    input_type: str = ""
    input_digest: str = ""
    reason: str = ""
    because: tuple["Judgement", ...] = ()

    def as_context(self) -> dict[str, Any]:
        """The judgement as a transition or verdict keeps it: plain JSON, empty fields left out."""
        said = {name: getattr(self, name) for name in ("path", "op", "input_type", "input_digest", "reason")}
        context: dict[str, Any] = {"held": self.held, "clause": self.pointer} | {k: v for k, v in said.items() if v}
        if self.because:
            context["because"] = [judgement.as_context() for judgement in self.because]
        return context


def evaluate(tree: Any, facts: Mapping[str, Any]) -> Judgement:
    """Judge `tree` on `facts`. Never raises: what cannot be compared is not held, with a reason."""
    return _judge(tree, _Input(facts), "", DEEPEST)


class _Input:
    """What is judged. A hundred clauses about one large value digest it once."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts = facts
        self._digests: dict[str, str] = {}

    def digest(self, path: str, value: Any) -> str:
        """The digest of the value at a path."""
        if (known := self._digests.get(path)) is None:
            known = self._digests[path] = _digest(value)
        return known


def _judge(tree: Any, given: _Input, pointer: str, depth: int) -> Judgement:
    match tree:
        case {"all": list(clauses)} if len(tree) == 1 and depth > 0:
            return _first(clauses, given, pointer, depth, wanted=False, op="all")
        case {"any": list(clauses)} if len(tree) == 1 and depth > 0:
            return _first(clauses, given, pointer, depth, wanted=True, op="any")
        case {"not": clause} if len(tree) == 1 and depth > 0:
            inner = _judge(clause, given, f"{pointer}/not", depth - 1)
            if inner.reason == "malformed":
                return inner
            return Judgement(not inner.held, pointer, "not", because=(inner,))
        case {"path": str(path)} if len(tree) == 2:
            op = next(key for key in tree if key != "path")
            return _judge_clause(path, op, tree[op], given, pointer)
    return Judgement(False, pointer, "", reason="malformed")


def _first(clauses: list[Any], given: _Input, pointer: str, depth: int, *, wanted: bool, op: str) -> Judgement:
    """The first clause that decides an `all` (one not held) or an `any` (one held); else all of them together."""
    judged = []
    for position, clause in enumerate(clauses[:MOST_CLAUSES]):
        judgement = _judge(clause, given, f"{pointer}/{op}/{position}", depth - 1)
        if judgement.held is wanted or judgement.reason == "malformed":
            return judgement
        judged.append(judgement)
    return Judgement(not wanted, pointer, op, because=tuple(judged))


def _judge_clause(path: str, op: Any, wanted: Any, given: _Input, pointer: str) -> Judgement:
    compare = _COMPARISONS.get(op)
    if compare is None:
        return Judgement(False, pointer, "", path, reason="malformed")
    found = lookup(given.facts, path)
    held = compare(found, wanted)
    reason = "missing" if found is MISSING and op != "exists" else "incomparable" if held is None else ""
    return Judgement(bool(held), pointer, op, path, _type_of(found), given.digest(path, found), reason)


def _type_of(value: Any) -> str:
    """The JSON type of a value, or `missing`."""
    if value is None or value is MISSING:
        return "null" if value is None else "missing"
    if isinstance(value, bool | str):
        return "boolean" if isinstance(value, bool) else "string"
    if isinstance(value, Mapping):
        return "object"
    return "array" if isinstance(value, list | tuple) else "number"


def _digest(value: Any) -> str:
    """Tells two inputs apart. Keyed, because a trace is kept for ever and most inputs are soon found by trying."""
    if value is MISSING:
        return ""
    try:
        text = canonical_json(value)
    except (TypeError, ValueError, RecursionError):
        return ""
    whole = salted_hmac("workflows.condition", text.encode("utf-8", "surrogatepass"), algorithm="sha256")
    return whole.hexdigest()[:16]


def _same(found: Any, wanted: Any) -> bool:
    """JSON equality: 1 is 1.0, but true is not 1."""
    return _type_of(found) == _type_of(wanted) and bool(found == wanted)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool | None]:
    def judged(found: Any, wanted: Any) -> bool | None:
        kind = _type_of(found)
        return compare(found, wanted) if kind == _type_of(wanted) and kind in {"number", "string"} else None

    return judged


def _is_in(found: Any, wanted: Any) -> bool | None:
    return any(_same(found, one) for one in wanted) if isinstance(wanted, list) else None


def _is_not_in(found: Any, wanted: Any) -> bool | None:
    inside = _is_in(found, wanted)
    return None if inside is None else not inside


def _contains(found: Any, wanted: Any) -> bool | None:
    if isinstance(found, str):
        return wanted in found if isinstance(wanted, str) else None
    if not isinstance(found, list | tuple):
        return None
    return wanted in found and any(_same(one, wanted) for one in found)  # the first says no, and says it soon


def _starts_with(found: Any, wanted: Any) -> bool | None:
    return found.startswith(wanted) if isinstance(found, str) and isinstance(wanted, str) else None


_COMPARISONS: dict[Any, Callable[[Any, Any], bool | None]] = {
    "eq": _same,
    "ne": lambda found, wanted: not _same(found, wanted),
    "lt": _ordered(lambda found, wanted: found < wanted),
    "lte": _ordered(lambda found, wanted: found <= wanted),
    "gt": _ordered(lambda found, wanted: found > wanted),
    "gte": _ordered(lambda found, wanted: found >= wanted),
    "in": _is_in,
    "not_in": _is_not_in,
    "contains": _contains,
    "starts_with": _starts_with,
    "exists": lambda found, wanted: (found is not MISSING) is wanted,
}
