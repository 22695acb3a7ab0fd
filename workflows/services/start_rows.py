"""What a start writes: the columns of a new run and its first transition, made from what the caller asked for."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from signals_app.services.payloads import canonical
from tenants.ids import new_public_id
from tenants.vault import Vault
from workflows.engine.facts import RunFacts
from workflows.services.documents import Loaded
from workflows.states import Cause, Reason, RunState
from workflows.store import chain, rows

NEW_RUN = {
    "id": "bigint",
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


@dataclass(frozen=True, slots=True)
class NewRun:
    """What a run starts with. `at` schedules it; `began_at` is where "since the run's start" looks back to.

    `origin` is structure that the first line of its trace tells besides: the run or the schedule that it comes from.
    `companions` is what the call says besides the run, by name: see `workflows.services.companions`.
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
    companions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StartRow:
    """A run before it is written: its facts, its first transition, and the request that it answers."""

    id: int
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


def start_row(vault: Vault, loaded: Loaded, id_: int, new: NewRun, now: datetime, data_sha: bytes | None) -> StartRow:
    """The row of a checked start; `data_sha` is where its data are stored."""
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
    asked += [dict(one) for one in (new.origin, new.companions) if one]
    request = vault.digest("start", canonical(asked)) if new.idempotency_key else b""
    return StartRow(id_, new, facts, public_id, data_sha, request, reason, context, head, due_at)


def run_columns(loaded: Loaded, row: StartRow, now: datetime) -> tuple[Any, ...]:
    """A row of `NEW_RUN`."""
    new, facts = row.new, row.facts
    whom = row.id, row.public_id, loaded.id, loaded.key, new.subject, rows.dumps(dict(new.correlation)), row.data_sha
    status = "pending", "", "{}", str(row.reason), rows.dumps(row.context), "", 1, 1, row.chain_head, 0
    request = new.idempotency_key, row.request_digest if new.idempotency_key else None, new.replayed_from
    times = facts.began_at, facts.step_entered_at, row.due_at, facts.deadline_at
    return (*whom, *status, str(new.cause), new.cause_ref, *request, *times, 0, now, now)


def first_transition(row: StartRow, now: datetime) -> tuple[Any, ...]:
    """A row of `workflows.store.rows.TRANSITION`."""
    cause = str(row.new.cause), row.new.cause_ref
    move = "", "pending", str(row.reason), rows.dumps(row.context)
    return (row.id, 1, "", 0, None, *cause, *move, now, chain.GENESIS, row.chain_head)
