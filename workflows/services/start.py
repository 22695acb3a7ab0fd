"""Starting runs: created `pending` in one transaction, advanced by the engine in a later one.

The first advance looks back for signals. It comes after this commit, so a signal that was routed before the commit is
seen by the look-back, and one that is routed after it finds the run's listeners: write, commit, then look, on both
sides.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from chimeway_py.nudges import nudge_after_commit
from signals_app.services.payloads import canonical, write_payloads
from tenants.ids import new_public_id
from tenants.scope import tenant_scope
from tenants.vault import Vault, vault_of
from workflows.engine.facts import RunFacts
from workflows.engine.matching import listener_keys
from workflows.errors import StartConflict
from workflows.services.documents import Loaded
from workflows.services.start_checks import check_starts, startable
from workflows.services.sticky_cancels import catch_cancelled, marks
from workflows.states import Cause, Reason, RunState
from workflows.store import chain, rows
from workflows.store.sql import arrays, execute, fetch, insert
from workflows.store.write import write_transitions

OnDuplicate = Literal["return", "skip"]
NEW_RUN = {
    "public_id": "uuid",
    "definition_id": "bigint",
    "definition_key": "text",
    "subject": "text",
    "correlation": "jsonb",
    "data_sha": "bytea",
    "state": "text",
    "step": "text",
    "visits": "jsonb",
    "status_reason": "text",
    "status_context": "jsonb",
    "terminal_reason": "text",
    "revision": "int",
    "seq": "int",
    "chain_head": "bytea",
    "pending_signals": "int",
    "started_by": "text",
    "started_by_ref": "text",
    "idempotency_key": "text",
    "request_digest": "bytea",
    "replayed_from_id": "bigint",
    "began_at": "timestamptz",
    "step_entered_at": "timestamptz",
    "due_at": "timestamptz",
    "deadline_at": "timestamptz",
    "engine_failures": "int",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
}
# In the order of the unique key, so that two starts with the same keys wait for each other instead of deadlocking.
_RUNS = insert(
    "workflows_run",
    NEW_RUN,
    "ORDER BY u.idempotency_key, u.public_id ON CONFLICT (tenant_id, definition_key, idempotency_key) "
    "WHERE idempotency_key IS NOT NULL DO NOTHING RETURNING id, public_id",
)
_LISTENERS = insert("workflows_listener", rows.LISTENER)
_MET = """
SELECT u.idempotency_key, r.id, r.public_id, r.request_digest FROM unnest(%s::text[]) AS u(idempotency_key)
JOIN workflows_run r ON r.tenant_id = %s AND r.definition_key = %s AND r.idempotency_key = u.idempotency_key
"""


@dataclass(frozen=True, slots=True)
class NewRun:
    """What a run starts with. `at` schedules it; `began_at` is where "since the run's start" looks back to.

    `origin` is structure that the first line of its trace tells besides: the run or the schedule that it comes from.
    """

    subject: str
    correlation: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    idempotency_key: str | None = None
    at: datetime | None = None
    began_at: datetime | None = None
    cause: Cause = Cause.API
    cause_ref: str = ""
    replayed_from: int | None = None
    origin: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Started:
    """One answer to a start: the run, and whether this call made it.

    `skipped`: an earlier call made it, and this one asked to be told so. `cancelled`: a cancel was waiting for it.
    """

    run_id: int
    public_id: uuid.UUID
    created: bool
    skipped: bool = False
    cancelled: bool = False


def start_runs(
    *,
    tenant_id: int,
    definition_key: str,
    runs: Sequence[NewRun],
    version: int | None = None,
    on_duplicate: OnDuplicate = "return",
) -> list[Started]:
    """Start runs of a published definition, all or none; an answer for each in order. Joins the caller's transaction.

    The same idempotency key with the same request answers with the run it started; with `skip` it says that this start
    was skipped, so that nobody takes the run for a new one. A run that a sticky cancel waited for is cancelled as it is
    made. Raises `DefinitionNotFound`, `Invalid` (paths start with the index of the run) and `StartConflict`.
    """
    with tenant_scope(tenant_id) as scope:
        loaded = startable(tenant_id, definition_key, version)
        started = insert_runs(tenant_id, loaded, check_starts(loaded, runs), scope.now)
    if on_duplicate == "skip":
        return [one if one.created else replace(one, skipped=True) for one in started]
    return started


def insert_runs(tenant_id: int, loaded: Loaded, runs: Sequence[NewRun], now: datetime) -> list[Started]:
    """Write checked runs with their first transition and their listeners, inside the caller's scope."""
    texts = [canonical(run.data) if run.data else "" for run in runs]
    addresses = write_payloads(tenant_id=tenant_id, texts=filter(None, texts))
    first: dict[Any, _Row] = {}
    vault = vault_of(tenant_id)
    asked = [_row(vault, loaded, run, now, addresses.get(text)) for run, text in zip(runs, texts, strict=True)]
    for row in asked:
        first.setdefault(row.name, row)
    created = _write(tenant_id, loaded, list(first.values()), now)
    if created:
        nudge_after_commit("engine", tenant_id)
    caught = catch_cancelled(
        tenant_id,
        loaded.key,
        {
            created[row.public_id]: [*marks(row.new.idempotency_key, row.new.correlation)]
            for row in first.values()
            if row.public_id in created
        },
    )
    met = _meet(tenant_id, loaded.key, [row for row in first.values() if row.public_id not in created])
    answers = _answers(asked, first, created, met)
    return [replace(one, cancelled=True) if one.run_id in caught else one for one in answers]


@dataclass(frozen=True, slots=True)
class _Row:
    new: NewRun
    facts: RunFacts
    public_id: uuid.UUID
    data_sha: bytes | None
    request_digest: bytes
    reason: Reason
    context: dict[str, Any]
    chain_head: bytes
    due_at: datetime

    @property
    def name(self) -> Any:
        """What makes two starts of one call the same start."""
        return self.new.idempotency_key or self.public_id


def _row(vault: Vault, loaded: Loaded, new: NewRun, now: datetime, data_sha: bytes | None) -> _Row:
    public_id = new_public_id()
    due_at = max(new.at, now) if new.at else now
    reason = Reason.SCHEDULED if due_at > now else Reason.CREATED
    context = {"definition": loaded.key, "version": loaded.version, **new.origin}
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
        prev=chain.GENESIS,
        tenant_id=vault.tenant_id,
        run=str(public_id),
        seq=1,
        step="",
        visit=0,
        delivery=None,
        cause=new.cause,
        cause_ref=new.cause_ref,
        from_state="",
        to_state="pending",
        reason=reason,
        context=context,
        occurred_at=now,
    )
    asked = [loaded.key, new.subject, dict(new.correlation), new.data, new.at and new.at.isoformat()]
    asked += [dict(new.origin)] if new.origin else []
    request = vault.digest("start", canonical(asked))
    return _Row(new, facts, public_id, data_sha, request, reason, context, head, due_at)


def _write(tenant_id: int, loaded: Loaded, given: Sequence[_Row], now: datetime) -> dict[uuid.UUID, int]:
    """Insert the runs that are new, with their traces and listeners; their ids by public id."""
    found = fetch(_RUNS, [tenant_id, *arrays([_new_run(loaded, row, now) for row in given], NEW_RUN)])
    created = {public_id: run_id for run_id, public_id in found}
    mine = [(created[row.public_id], row) for row in given if row.public_id in created]
    write_transitions(tenant_id, [_first_transition(run_id, row, now) for run_id, row in mine])
    listeners = [
        (run_id, name, key, rows.dumps(dict(rest)), True)
        for run_id, row in mine
        for name, key, rest in listener_keys(loaded.document, row.facts)
    ]
    if listeners:
        execute(_LISTENERS, [tenant_id, *arrays(listeners, rows.LISTENER)])
    return created


def _new_run(loaded: Loaded, row: _Row, now: datetime) -> tuple[Any, ...]:
    new, facts = row.new, row.facts
    whom = row.public_id, loaded.id, loaded.key, new.subject, rows.dumps(dict(new.correlation)), row.data_sha
    status = "pending", "", "{}", str(row.reason), rows.dumps(row.context), "", 1, 1, row.chain_head, 0
    request = new.idempotency_key, row.request_digest if new.idempotency_key else None, new.replayed_from
    times = facts.began_at, facts.step_entered_at, row.due_at, facts.deadline_at
    return (*whom, *status, str(new.cause), new.cause_ref, *request, *times, 0, now, now)


def _first_transition(run_id: int, row: _Row, now: datetime) -> tuple[Any, ...]:
    cause = str(row.new.cause), row.new.cause_ref
    move = "", "pending", str(row.reason), rows.dumps(row.context)
    return (run_id, 1, "", 0, None, *cause, *move, now, chain.GENESIS, row.chain_head)


def _meet(tenant_id: int, definition_key: str, known: Sequence[_Row]) -> dict[str, tuple[int, uuid.UUID, bytes]]:
    """The runs that were started before under these idempotency keys."""
    if not known:
        return {}
    found = fetch(_MET, [[row.new.idempotency_key for row in known], tenant_id, definition_key])
    return {key: (run_id, public_id, bytes(request)) for key, run_id, public_id, request in found}


def _answers(
    asked: Sequence[_Row],
    first: Mapping[Any, _Row],
    created: Mapping[uuid.UUID, int],
    met: Mapping[str, tuple[int, uuid.UUID, bytes]],
) -> list[Started]:
    answers, conflicts, told = [], [], set()
    for index, row in enumerate(asked):
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
