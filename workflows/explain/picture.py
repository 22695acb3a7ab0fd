"""What is read to explain a run: the run, its open wait and its work, the version it follows, the end of its trace."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tenants.sql import fetch
from workflows.definitions.document import Target
from workflows.errors import RunNotFound
from workflows.models import SwitchLevel
from workflows.services.documents import Loaded, documents
from workflows.services.replay import irreversible_effects, unstartable
from workflows.states import NOTED, TERMINAL, Reason, RunState
from workflows.store.answers import is_data_gone
from workflows.store.reasons import replaced, spoken
from workflows.store.visits import FAILED, Visit, visits_of

RECENT = 20  # lines of the trace that are read besides those that changed the run's status at this step

_RUN = """
SELECT r.id, r.public_id, r.definition_id, r.subject, r.state, r.status_reason, r.status_context, r.step, r.visits,
       r.pending_signals, r.suspended_until, r.deadline_at, r.due_at, r.terminal_reason, r.engine_failures, r.seq,
       r.created_at, r.step_entered_at, r.finished_at,
       w.step, w.visit, w.opened_at, w.signals, w.due_at, w.on_timeout, w.routes, w.actors, w.remind_at,
       s.status, s.attempts_made, s.lost_attempts, s.due_at, s.maybe_done,
       a.step, a.visit, a.number, a.status, a.outcome, a.error, a.started_at, a.finished_at, a.retry_at, a.lease_until,
       k.level, k.why, k.cause, k.cause_ref, k.changed_at,
       EXISTS (SELECT 1 FROM workflows_steprun o WHERE o.tenant_id = r.tenant_id AND o.run_id = r.id AND o.resend > 0)
  FROM workflows_run r
  LEFT JOIN workflows_wait w ON w.tenant_id = r.tenant_id AND w.run_id = r.id AND w.closed_at IS NULL
  LEFT JOIN workflows_steprun s ON s.tenant_id = r.tenant_id AND s.run_id = r.id AND s.resend = 0 AND s.undo = 0
        AND s.step = r.step AND s.visit = (r.visits ->> r.step)::int
  LEFT JOIN LATERAL (
        SELECT o.step, o.visit, a.number, a.status, a.outcome, a.error, a.started_at, a.finished_at, a.retry_at,
               CASE WHEN a.status = 'running' THEN o.due_at END AS lease_until
          FROM workflows_steprun o JOIN workflows_attempt a ON a.tenant_id = o.tenant_id AND a.step_run_id = o.id
         WHERE o.tenant_id = r.tenant_id AND o.run_id = r.id AND o.undo = 0
         ORDER BY a.started_at DESC, a.id DESC LIMIT 1) a ON true
  LEFT JOIN workflows_definitionswitch k ON k.tenant_id = r.tenant_id AND k.key = r.definition_key AND k.level <> 'on'
 WHERE r.tenant_id = %s AND r.public_id = %s
"""
_TRACE = """
SELECT seq, step, visit, from_state, to_state, reason, cause, cause_ref, context, occurred_at
  FROM workflows_transition
 WHERE tenant_id = %s AND run_id = %s AND (seq > %s OR reason = 'version_changed'
    OR (step = %s AND visit = %s AND NOT (from_state = to_state AND reason = ANY(%s))))
 ORDER BY seq
"""


_DIGEST = """
SELECT d.public_id, i.position, d.count, d.closes_at, d.status = 'closed', coalesce(led.public_id, (
        SELECT r.public_id FROM workflows_digestitem o
          JOIN workflows_run r ON r.tenant_id = o.tenant_id AND r.id = o.run_id
         WHERE o.tenant_id = d.tenant_id AND o.digest_id = d.id AND o.left_at IS NULL
         ORDER BY r.state = 'paused', o.position LIMIT 1))
  FROM workflows_digestitem i JOIN workflows_digest d ON d.tenant_id = i.tenant_id AND d.id = i.digest_id
  LEFT JOIN workflows_run led ON led.tenant_id = d.tenant_id AND led.id = d.leader_run_id
 WHERE i.tenant_id = %s AND i.run_id = %s AND i.left_at IS NULL AND i.told_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class RunRow:
    """The run's own columns."""

    id: int
    public_id: uuid.UUID
    definition_id: int
    subject: str
    state: str
    status_reason: str
    status_context: Mapping[str, Any]
    step: str
    visits: Mapping[str, int]
    pending_signals: int
    suspended_until: datetime | None
    deadline_at: datetime | None
    due_at: datetime | None
    terminal_reason: str
    engine_failures: int
    seq: int
    created_at: datetime
    step_entered_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class OpenWait:
    """The open wait as it is stored: match values filled in, targets in the words of the document."""

    step: str
    visit: int
    opened_at: datetime
    signals: Sequence[Mapping[str, Any]]
    due_at: datetime | None
    on_timeout: Any
    routes: Mapping[str, Any] = field(default_factory=dict)  # of an approval
    actors: Sequence[str] = ()
    remind_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """The step run of the current visit. `due_at`: when it may be claimed, or when the lease on it ends."""

    status: str
    attempts_made: int
    lost_attempts: int
    due_at: datetime | None
    maybe_done: bool = False  # some try said that it may have taken effect


@dataclass(frozen=True, slots=True)
class Try:
    """The latest attempt of the run."""

    step: str
    visit: int
    number: int
    status: str
    outcome: str
    error: str
    started_at: datetime
    finished_at: datetime | None
    retry_at: datetime | None
    lease_until: datetime | None


@dataclass(frozen=True, slots=True)
class SeenSwitch:
    """How the definition of the run is switched off, by whom, why and since when."""

    level: str
    why: str
    cause: str
    cause_ref: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class SeenLine:
    """A line of the trace, as far as an explanation uses it."""

    seq: int
    step: str
    visit: int
    from_state: str
    to_state: str
    reason: str
    cause: str
    cause_ref: str
    context: Mapping[str, Any]
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class SeenDigest:
    """The digest that the run rests in. `leader` goes on with it, as things are; None: nobody is left in it."""

    public_id: uuid.UUID
    position: int
    count: int
    closes_at: datetime
    is_closed: bool
    leader: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class Picture:
    """All of it, at one moment. `trace` ends with the latest line; what it leaves out are notes of long ago."""

    run: RunRow
    version: Loaded
    wait: OpenWait | None
    work: Work | None
    last: Try | None
    trace: tuple[SeenLine, ...]
    now: datetime
    switch: SeenSwitch | None = None  # None: the definition is on
    irreversible: tuple[str, ...] = ()  # what a replay of the ended run would have to allow
    unstartable: str = ""  # why a replay of the ended run could start nothing
    digest: SeenDigest | None = None  # None: the run rests in none
    visits: tuple[Visit, ...] = ()  # of an ended run whose steps can be undone: what it did, and how that is undone

    has_resends: bool = False  # work of it was done once more, because somebody said so
    is_data_gone: bool = False  # something failed to be undone, and what the run worked with is not kept any more

    @property
    def is_held(self) -> bool:
        """Whether the run does not go on because its definition is switched off."""
        return self.is_switched_off and self.run.state not in TERMINAL

    @property
    def is_switched_off(self) -> bool:
        """Whether nothing is sent for runs of its definition, nor to undo them."""
        return self.switch is not None and self.switch.level == SwitchLevel.ALL_OFF

    @property
    def visit(self) -> int:
        """Which visit of the current step this is; 0 before the first step."""
        return self.run.visits.get(self.run.step, 0)

    def follow(self, target: Target) -> str:
        """The step that a target of the current step leads to, or an empty text where it ends the run."""
        if target.kind == "goto":
            return target.step
        here = self.version.document.by_key.get(self.run.step)
        after = self.version.document.step_after(here) if here and target.kind == "next" else None
        return after.key if after else ""


def take_picture(tenant_id: int, public_id: uuid.UUID, now: datetime) -> Picture:
    """Read what explains a run, inside the tenant's scope. Raises `RunNotFound`.

    Three statements at most, and one more each for a run in a digest, for one that has ended, and for an ended run of
    a definition with irreversible or compensated steps; three more where something failed to be undone.
    """
    rows = fetch(_RUN, [tenant_id, public_id])
    if not rows:
        raise RunNotFound("No such run.")
    row = rows[0]
    run = RunRow(*row[:19])
    version = documents(tenant_id, [run.definition_id])[run.definition_id]
    ended = run.state in TERMINAL
    run, trace = _in_words(tenant_id, run, _trace(tenant_id, run))
    undone = ended and version.document.compensating
    visits = tuple(visits_of(tenant_id, [run.id]).get(run.id, ())) if undone else ()
    return Picture(
        run=run,
        version=version,
        wait=OpenWait(*row[19:28]) if row[19] is not None else None,
        work=Work(*row[28:33]) if row[28] is not None else None,
        last=Try(*row[33:43]) if row[33] is not None else None,
        trace=trace,
        now=now,
        switch=SeenSwitch(*row[43:48]) if row[43] is not None else None,
        digest=_digest(tenant_id, run),
        has_resends=row[48],
        irreversible=tuple(irreversible_effects(tenant_id, run.id, version.document)) if ended else (),
        unstartable=unstartable(tenant_id, run.id) if ended else "",
        visits=visits,
        is_data_gone=any(one.undo and one.status == FAILED for one in visits) and is_data_gone(tenant_id, run.id),
    )


def _digest(tenant_id: int, run: RunRow) -> SeenDigest | None:
    """Also of a run that was paused there, and of which only the line before tells where it was."""
    was_active = run.state == RunState.PAUSED and run.status_context.get("was") == RunState.ACTIVE
    if run.status_reason != Reason.DIGEST_JOINED and not was_active:
        return None
    rows = fetch(_DIGEST, [tenant_id, run.id])
    return SeenDigest(*rows[0]) if rows else None


def _in_words(tenant_id: int, run: RunRow, trace: tuple[SeenLine, ...]) -> tuple[RunRow, tuple[SeenLine, ...]]:
    """The same with what people said, where the trace has its address. One statement more for such a run."""
    told = [run.terminal_reason, run.status_context, *(line.context for line in trace)]
    words = spoken(tenant_id, [run.id], told)
    if not words:
        return run, trace
    status, end = replaced(run.status_context, words), words.get(run.terminal_reason, run.terminal_reason)
    said = (replace(line, context=replaced(line.context, words)) for line in trace)
    return replace(run, status_context=status, terminal_reason=end), tuple(said)


def _trace(tenant_id: int, run: RunRow) -> tuple[SeenLine, ...]:
    here = [run.step, run.visits.get(run.step, 0)]
    rows = fetch(_TRACE, [tenant_id, run.id, run.seq - RECENT, *here, [str(reason) for reason in NOTED]])
    return tuple(SeenLine(*row) for row in rows)
