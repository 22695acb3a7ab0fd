"""Parsed definitions, kept in the process: a published version never changes, so it is read and parsed once."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tenants.sql import fetch
from workflows.definitions.document import Document, Step, parse_document, parse_steps

_LOAD = "SELECT id, key, version, document FROM workflows_definition WHERE tenant_id = %s AND id = ANY(%s)"
_CACHE_SIZE = 2048
_ELSEWHERE = """
SELECT s.config FROM workflows_definition d
  JOIN workflows_step s ON s.tenant_id = d.tenant_id AND s.definition_id = d.id AND s.key = %s
 WHERE d.tenant_id = %s AND d.key = %s ORDER BY d.version DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """One version as the engine uses it. `needs_data`: some step reads the run's data inside the engine.

    `answers`: some step brings back what becomes part of that data. `conditioned` names the signals whose payload is
    needed to route them; `listened` those that any wait listens for.
    """

    id: int
    key: str
    version: int
    document: Document
    needs_data: bool
    conditioned: frozenset[str]
    listened: frozenset[str]
    answers: bool


_cache: dict[tuple[int, int], Loaded] = {}


def documents(tenant_id: int, definition_ids: Iterable[int]) -> dict[int, Loaded]:
    """Published definitions by id, parsed. Never call it for a draft: a draft's document may change."""
    wanted = set(definition_ids)
    found = {id_: _cache[tenant_id, id_] for id_ in wanted if (tenant_id, id_) in _cache}
    missing = list(wanted - found.keys())
    for id_, key, version, raw in fetch(_LOAD, [tenant_id, missing]) if missing else ():
        if len(_cache) >= _CACHE_SIZE:
            _cache.clear()
        found[id_] = _cache[tenant_id, id_] = read_document(id_, key, version, raw)
    return found


def step_of(tenant_id: int, loaded: Loaded, key: str) -> Step:
    """A step that a run has been at: of its version, or, if it was moved here from one that had it, of the latest."""
    if key in loaded.document.by_key:
        return loaded.document.by_key[key]
    ((config,),) = fetch(_ELSEWHERE, [key, tenant_id, loaded.key])
    return parse_steps({"steps": [config]})[0]


def read_document(id_: int, key: str, version: int, raw: dict[str, Any]) -> Loaded:
    """Parse one document and note what loading its runs will need."""
    document = parse_document(raw)
    rules = [rule for step in raw["steps"] for rule in step.get("signals", ())]
    conditioned = {rule["name"] for rule in rules if rule.get("when")}
    if document.start_on is not None:  # its payload becomes the run's data, whatever the rule reads of it
        conditioned.add(document.start_on.signal)
    return Loaded(
        id_,
        key,
        version,
        document,
        needs_data=any(step["kind"] != "wait" for step in raw["steps"]) or "data." in str(raw["steps"]),
        conditioned=frozenset(conditioned),
        listened=frozenset(rule["name"] for rule in rules),
        answers=any("answer" in step or step["kind"] == "digest" for step in raw["steps"]),
    )
