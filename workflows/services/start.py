"""Starting runs: created `pending` in one transaction, advanced by the engine in a later one.

The first advance looks back for signals. It comes after this commit, so a signal that was routed before the commit is seen
by the look-back, and one that is routed after it finds the run's listeners: write, commit, then look, on both sides.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chimeway_py.nudges import nudge_after_commit
from signals_app.services.payloads import canonical, digest, write_payloads
from tenants.ids import new_public_id
from tenants.scope import tenant_scope
from workflows.engine.facts import RunFacts
from workflows.engine.matching import listener_keys
from workflows.errors import StartConflict
from workflows.services.documents import Loaded
from workflows.services.start_checks import check_starts, startable
from workflows.states import Cause, Reason, RunState
from workflows.store import chain
from workflows.store.sql import columns, execute, fetch

_RUNS = """
INSERT INTO workflows_run (tenant_id, public_id, definition_id, definition_key, subject, correlation, data_sha, state, step, visits,
    status_reason, status_context, terminal_reason, revision, seq, chain_head, pending_signals, started_by, started_by_ref,
    idempotency_key, request_digest, began_at, step_entered_at, due_at, deadline_at, engine_failures, created_at, updated_at)
SELECT %s, u.public_id, %s, %s, u.subject, u.correlation, u.data_sha, 'pending', '', '{}',
    u.reason, '{}', '', 1, 1, u.chain_head, 0, u.cause, u.cause_ref, u.idempotency_key, u.request_digest, u.began_at, u.began_at,
    u.due_at, u.deadline_at, 0, %s, %s
FROM unnest(%s::uuid[], %s::text[], %s::text[]::jsonb[], %s::bytea[], %s::text[], %s::bytea[], %s::text[], %s::text[], %s::text[],
    %s::bytea[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[])
  AS u (public_id, subject, correlation, data_sha, reason, chain_head, cause, cause_ref, idempotency_key, request_digest,
        began_at, due_at, deadline_at)
ORDER BY u.idempotency_key, u.public_id
ON CONFLICT (tenant_id, definition_key, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
RETURNING id, public_id
"""
_MET = """
SELECT u.idempotency_key, r.id, r.public_id, r.request_digest FROM unnest(%s::text[]) AS u(idempotency_key)
JOIN workflows_run r ON r.tenant_id = %s AND r.definition_key = %s AND r.idempotency_key = u.idempotency_key
"""
_TRANSITIONS = """
INSERT INTO workflows_transition (tenant_id, run_id, seq, step, visit, cause, cause_ref, from_state, to_state, reason, context,
    occurred_at, prev_hash, hash)
SELECT %s, u.run_id, 1, '', 0, u.cause, u.cause_ref, '', 'pending', u.reason, u.context, %s, %s, u.hash
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[]::jsonb[], %s::bytea[])
  AS u (run_id, cause, cause_ref, reason, context, hash)
"""
_LISTENERS = """
INSERT INTO workflows_listener (tenant_id, run_id, name, key, rest, live)
SELECT %s, u.*, true FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]::jsonb[]) u
"""


@dataclass(frozen=True, slots=True)
class NewRun:
    """What a run starts with. `at` schedules it; `began_at` is where "since the run's start" looks back to."""

    subject: str
    correlation: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    idempotency_key: str | None = None
    at: datetime | None = None
    began_at: datetime | None = None
    cause: Cause = Cause.API
    cause_ref: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """One answer to a start: the run, and whether this call made it."""

    run_id: int
    public_id: uuid.UUID
    created: bool


def start_runs(
    *, tenant_id: int, definition_key: str, runs: Sequence[NewRun], version: int | None = None
) -> list[Started]:
    """Start runs of a published definition, all or none; an answer for each in order. Joins the caller's transaction.

    The same idempotency key with the same request answers with the run it started. Raises `DefinitionNotFound`,
    `Invalid` (paths start with the index of the run) and `StartConflict`.
    """
    with tenant_scope(tenant_id) as scope:
        loaded = startable(tenant_id, definition_key, version)
        return insert_runs(tenant_id, loaded, check_starts(loaded, runs), scope.now)


def insert_runs(tenant_id: int, loaded: Loaded, runs: Sequence[NewRun], now: datetime) -> list[Started]:
    """Write checked runs with their first transition and their listeners, inside the caller's scope."""
    write_payloads(tenant_id=tenant_id, texts=[canonical(run.data) for run in runs if run.data])
    first: dict[Any, _Row] = {}
    rows = [_row(tenant_id, loaded, run, now) for run in runs]
    for row in rows:
        first.setdefault(row.name, row)
    created = _write(tenant_id, loaded, list(first.values()), now)
    if created:
        nudge_after_commit("engine", tenant_id)
    met = _meet(tenant_id, loaded.key, [row for row in first.values() if row.public_id not in created])
    return _answers(rows, first, created, met)


@dataclass(frozen=True, slots=True)
class _Row:
    new: NewRun
    facts: RunFacts
    public_id: uuid.UUID
    request_digest: bytes
    reason: Reason
    context: dict[str, Any]
    chain_head: bytes
    due_at: datetime

    @property
    def name(self) -> Any:
        """What makes two starts of one call the same start."""
        return self.new.idempotency_key or self.public_id


def _row(tenant_id: int, loaded: Loaded, new: NewRun, now: datetime) -> _Row:
    public_id = new_public_id()
    due_at = max(new.at, now) if new.at else now
    reason = Reason.SCHEDULED if due_at > now else Reason.CREATED
    context = {"definition": loaded.key, "version": loaded.version}
    facts = RunFacts(
        public_id=str(public_id),
        subject=new.subject,
        correlation=new.correlation,
        state=RunState.PENDING,
        step="",
        visits={},
        began_at=new.began_at or now,
        step_entered_at=now,
        deadline_at=due_at + loaded.document.deadline if loaded.document.deadline else None,
    )
    head = chain.digest(
        prev=chain.GENESIS, tenant_id=tenant_id, run=str(public_id), seq=1, step="", visit=0, delivery=None, cause=new.cause,
        cause_ref=new.cause_ref, from_state="", to_state="pending", reason=reason, context=context, occurred_at=now,
    )  # fmt: skip
    asked = [loaded.key, new.subject, dict(new.correlation), new.data, new.at and new.at.isoformat()]
    return _Row(new, facts, public_id, digest(canonical(asked)), reason, context, head, due_at)


def _write(tenant_id: int, loaded: Loaded, rows: Sequence[_Row], now: datetime) -> dict[uuid.UUID, int]:
    """Insert the runs that are new; their ids by public id."""
    values = [
        (
            row.public_id, row.new.subject, json.dumps(dict(row.new.correlation)), digest(canonical(row.new.data)) if row.new.data else None,
            str(row.reason), row.chain_head, str(row.new.cause), row.new.cause_ref, row.new.idempotency_key,
            row.request_digest if row.new.idempotency_key else None, row.facts.began_at, row.due_at, row.facts.deadline_at,
        )
        for row in rows
    ]  # fmt: skip
    found = fetch(_RUNS, [tenant_id, loaded.id, loaded.key, now, now, *columns(values, 13)])
    created = {public_id: run_id for run_id, public_id in found}
    mine = [(created[row.public_id], row) for row in rows if row.public_id in created]
    if mine:
        _write_trace(tenant_id, mine, now)
        _write_listeners(tenant_id, loaded, mine)
    return created


def _write_trace(tenant_id: int, mine: Sequence[tuple[int, _Row]], now: datetime) -> None:
    rows = [
        (run_id, str(row.new.cause), row.new.cause_ref, str(row.reason), json.dumps(row.context), row.chain_head)
        for run_id, row in mine
    ]
    execute(_TRANSITIONS, [tenant_id, now, chain.GENESIS, *columns(rows, 6)])


def _write_listeners(tenant_id: int, loaded: Loaded, mine: Sequence[tuple[int, _Row]]) -> None:
    rows = [
        (run_id, name, key, json.dumps(dict(rest)))
        for run_id, row in mine
        for name, key, rest in listener_keys(loaded.document, row.facts)
    ]
    if rows:
        execute(_LISTENERS, [tenant_id, *columns(rows, 4)])


def _meet(tenant_id: int, definition_key: str, rows: Sequence[_Row]) -> dict[str, tuple[int, uuid.UUID, bytes]]:
    """The runs that were started before under these idempotency keys."""
    if not rows:
        return {}
    found = fetch(_MET, [[row.new.idempotency_key for row in rows], tenant_id, definition_key])
    return {key: (run_id, public_id, bytes(request)) for key, run_id, public_id, request in found}


def _answers(
    rows: Sequence[_Row],
    first: Mapping[Any, _Row],
    created: Mapping[uuid.UUID, int],
    met: Mapping[str, tuple[int, uuid.UUID, bytes]],
) -> list[Started]:
    answers, conflicts, told = [], [], set()
    for index, row in enumerate(rows):
        leader = first[row.name]
        if leader.public_id in created:
            known = created[leader.public_id], leader.public_id, leader.request_digest
        else:
            known = met[row.name]
        if known[2] != row.request_digest:
            conflicts.append({"index": index, "idempotency_key": row.new.idempotency_key})
        answers.append(Started(known[0], known[1], created=known[1] in created and known[1] not in told))
        told.add(known[1])
    if conflicts:
        raise StartConflict("A run was started before under this idempotency key with another request.", conflicts)
    return answers
