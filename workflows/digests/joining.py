"""Joining a digest, in the transaction that brings the runs to the step.

The statement that finds or opens a digest takes its row lock, and a close takes the same: an item comes before the
close and is in it, or after it and opens the next. Positions are given under that lock. Digests are locked in order of
their names, always after the runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from chimeway_py.nudges import nudge_after_commit
from signals_app.services.payloads import canonical, write_payloads
from tenants.ids import new_public_id
from tenants.sql import arrays, execute, fetch, insert, update
from workflows.definitions.paths import MISSING, lookup
from workflows.digests.output import alone
from workflows.digests.windows import first_end, next_end
from workflows.models.digest import DigestStatus, Left
from workflows.services.zones import tenant_zone, zones_of
from workflows.states import Reason
from workflows.steps.base import Outcome, PlannedStep
from workflows.steps.naming import Name, by_of, facts_at, name_of

MOST_ITEMS = 1000  # of a digest that does not say how many
_OPENED = {
    "public_id": "uuid",
    "definition_key": "text",
    "step": "text",
    "subject": "text",
    "name_sha": "bytea",
    "status": "text",
    "positions": "int",
    "count": "int",
    "created_at": "timestamptz",
    "closes_at": "timestamptz",
    "due_at": "timestamptz",
    "closed_by": "text",
}
# An open digest that is being closed is waited for here; then it is not open any more, and another one is opened.
_OPEN = insert(
    "workflows_digest",
    _OPENED,
    "ON CONFLICT (tenant_id, definition_key, step, subject, name_sha) WHERE status = 'open' "
    "DO UPDATE SET positions = workflows_digest.positions "
    "RETURNING definition_key, step, subject, name_sha, id, public_id, positions, count, created_at, closes_at, "
    "xmax = 0",
)
_GROWN = {
    "id": "bigint",
    "status": "text",
    "positions": "int",
    "count": "int",
    "closes_at": "timestamptz",
    "due_at": "timestamptz",
}
_GROW = update("workflows_digest", _GROWN)
_ITEM = {
    "digest_id": "bigint",
    "position": "int",
    "run_id": "bigint",
    "step_run_id": "bigint",
    "visit": "int",
    "subject": "text",
    "payload_sha": "bytea",
    "joined_at": "timestamptz",
    "left_at": "timestamptz",
    "left_why": "text",
    "told_at": "timestamptz",
}
_ADD = insert("workflows_digestitem", _ITEM)


@dataclass(frozen=True, slots=True)
class Joiner:
    """A visit that is about to join, with what it brings."""

    planned: PlannedStep
    name: Name
    item: Any
    payload: bytes
    zone: str


@dataclass(slots=True)
class _Open:
    """A digest under its lock."""

    id: int
    public_id: UUID
    positions: int
    count: int
    opened_at: datetime
    closes_at: datetime
    is_new: bool
    status: str = DigestStatus.OPEN
    rows: list[tuple[Any, ...]] = field(default_factory=list)


def join_digests(*, planned: Sequence[PlannedStep], now: datetime) -> dict[int, Outcome]:
    """Let these visits, all of one tenant, join their digests; how each stands then, by step run id.

    A few statements, however many runs move together. Needs the tenant's scope.
    """
    tenant_id = planned[0].tenant_id
    joiners, outcomes = _joiners(tenant_id, planned, now)
    left = {name: list(each) for name, each in groupby(sorted(joiners, key=_by_name), key=lambda one: one.name)}
    while left:
        opened = _open(tenant_id, {name: waiting[0] for name, waiting in left.items()}, now)
        for name, waiting in left.items():
            outcomes |= _fill(opened[name], waiting, now)
        _write(tenant_id, opened, now)
        left = {name: waiting for name, waiting in left.items() if waiting}
    return outcomes


def _by_name(one: Joiner) -> tuple[Any, ...]:
    return (*one.name, one.planned.step_run_id)


def _joiners(tenant_id: int, planned: Sequence[PlannedStep], now: datetime) -> tuple[list[Joiner], dict[int, Outcome]]:
    """Who joins under which name. One whose name leads nowhere is in nobody's digest, and goes on alone."""
    told, outcomes = [], {}
    for one in planned:
        facts = facts_at(one)
        item, by = _item(one.step.config, facts), by_of(one.step.config, facts)
        if by is MISSING:
            outcomes[one.step_run_id] = alone(item, now, {"missing": "by"})
        else:
            told.append((one, item, by))
    addresses = write_payloads(
        tenant_id=tenant_id, texts=[text for _, item, by in told for text in (canonical(item), canonical(by))]
    )
    scheduled = [one for one, _, _ in told if "schedule" in one.step.config["window"]]
    zones = zones_of(tenant_id, [one.subject for one in scheduled]) if scheduled else {}
    fallback = tenant_zone(tenant_id) if scheduled else ""
    joiners = []
    for one, item, by in told:
        config = one.step.config
        name = name_of(one, addresses[canonical(by)] if by else b"")
        declared = config["window"].get("schedule", {}).get("zone")
        zone = zones.get(one.subject) or declared or fallback
        joiners.append(Joiner(one, name, item, addresses[canonical(item)], zone))
    return joiners, outcomes


def _open(tenant_id: int, first: Mapping[Name, Joiner], now: datetime) -> dict[Name, _Open]:
    """The open digest of each name, found or made, locked."""
    rows = []
    for name, one in sorted(first.items()):
        ends_at = first_end(one.planned.step.config["window"], now, one.zone)
        rows.append((new_public_id(), *name, DigestStatus.OPEN.value, 0, 0, now, ends_at, ends_at, ""))
    found = fetch(_OPEN, [tenant_id, *arrays(rows, _OPENED)])
    return {(row[0], row[1], row[2], bytes(row[3])): _Open(*row[4:]) for row in found}


def _fill(digest: _Open, waiting: list[Joiner], now: datetime) -> dict[int, Outcome]:
    """Take from those who wait as many as there is room for."""
    outcomes = {}
    while waiting and digest.status == DigestStatus.OPEN:
        one = waiting.pop(0)
        outcomes[one.planned.step_run_id] = _join(digest, one, now)
    return outcomes


def _join(digest: _Open, one: Joiner, now: datetime) -> Outcome:
    config, planned = one.planned.step.config, one.planned
    goes_first = bool(config.get("flush_first")) and digest.is_new and digest.positions == 0
    digest.positions += 1
    row = (digest.id, digest.positions, planned.run_id, planned.step_run_id, planned.visit, planned.subject)
    if goes_first:
        digest.rows.append((*row, one.payload, now, now, Left.SENT_FIRST.value, now))
        return alone(one.item, now, {"digest": str(digest.public_id)}, str(digest.public_id))
    digest.rows.append((*row, one.payload, now, None, "", None))
    digest.count += 1
    digest.closes_at = next_end(config["window"], digest.opened_at, digest.closes_at, now)
    if digest.count >= config.get("max_items", MOST_ITEMS):
        digest.status, digest.closes_at = DigestStatus.FULL, now
    context = {
        "digest": str(digest.public_id),
        "position": digest.positions,
        "closes_at": digest.closes_at.isoformat(),
    }
    return Outcome("", rests=Reason.DIGEST_JOINED, context=context)


def _write(tenant_id: int, opened: Mapping[Name, _Open], now: datetime) -> None:
    grown = [
        (one.id, str(one.status), one.positions, one.count, one.closes_at, one.closes_at) for one in opened.values()
    ]
    execute(_GROW, [tenant_id, *arrays(grown, _GROWN)])
    execute(_ADD, [tenant_id, *arrays([row for one in opened.values() for row in one.rows], _ITEM)])
    if any(one.closes_at <= now for one in opened.values()):
        nudge_after_commit("digests", tenant_id)


def _item(config: Mapping[str, Any], facts: Mapping[str, Any]) -> Any:
    """What the run brings: all of its data, what one path leads to, or names each with what a path leads to."""
    said = config.get("item")
    if said is None:
        return facts["data"]
    if isinstance(said, str):
        return _found(facts, said)
    return {name: _value(source, facts) for name, source in said.items()}


def _value(source: Any, facts: Mapping[str, Any]) -> Any:
    return source["const"] if isinstance(source, Mapping) else _found(facts, source)


def _found(facts: Mapping[str, Any], path: str) -> Any:
    found = lookup(facts, path)
    return None if found is MISSING else found
