"""Closing a digest: one run, its leader, goes on with all items; afterwards the others are told.

The leader is the first item's run; when that has left, the next. A paused run leads only when nobody else can. Locks in
order: the leader's run, then the digest. One transaction closes, so whoever dies in it has closed nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.db import OperationalError

from signals_app.services.payloads import load_payloads
from tenants.scope import tenant_scope
from tenants.sql import execute, fetch
from workflows.digests.output import COLLECTED, DIGESTED, MOST_SHOWN, SHOWN, collected
from workflows.engine.events import StepSettled
from workflows.models.digest import ClosedBy, DigestStatus
from workflows.services.documents import step_of
from workflows.states import Cause
from workflows.store import write
from workflows.store.answers import answer_name, store_answer
from workflows.store.batch import RunBatch

log = structlog.get_logger(__name__)

MEMBERS = 200  # told in one transaction
POSTPONED = 60  # seconds until a close that failed is tried again
_DUE = """
SELECT id, status FROM workflows_digest
 WHERE tenant_id = %s AND due_at <= (SELECT coalesce(%s::timestamptz, clock_timestamp()))
 ORDER BY due_at, id LIMIT 50
"""
_LEADER = """
SELECT i.run_id, i.step_run_id, i.visit FROM workflows_digestitem i
  JOIN workflows_run r ON r.tenant_id = i.tenant_id AND r.id = i.run_id
 WHERE i.tenant_id = %s AND i.digest_id = %s AND i.left_at IS NULL ORDER BY r.state = 'paused', i.position LIMIT 1
"""
_LOCK = """
SELECT public_id, step, status, count, closes_at FROM workflows_digest
 WHERE tenant_id = %s AND id = %s FOR NO KEY UPDATE
"""
_TOTALS = """
SELECT min(joined_at), max(joined_at) FROM workflows_digestitem
 WHERE tenant_id = %s AND digest_id = %s AND left_at IS NULL
"""
_FIRST = """
SELECT payload_sha FROM workflows_digestitem
 WHERE tenant_id = %s AND digest_id = %s AND left_at IS NULL AND payload_sha IS NOT NULL ORDER BY position LIMIT %s
"""
_CLOSE = """
UPDATE workflows_digest SET status = 'closed', closed_at = %s, closed_by = %s, leader_run_id = %s, due_at = %s
 WHERE tenant_id = %s AND id = %s
"""
_TOLD = "UPDATE workflows_digestitem SET told_at = %s WHERE tenant_id = %s AND step_run_id = ANY(%s)"
_UNTOLD = """
SELECT i.step_run_id, i.run_id, i.visit, d.step, d.public_id, r.public_id, d.closed_by
  FROM workflows_digestitem i
  JOIN workflows_digest d ON d.tenant_id = i.tenant_id AND d.id = i.digest_id
  LEFT JOIN workflows_run r ON r.tenant_id = d.tenant_id AND r.id = d.leader_run_id
 WHERE i.tenant_id = %s AND i.digest_id = %s AND i.left_at IS NULL AND i.told_at IS NULL AND d.status = 'closed'
 ORDER BY i.position LIMIT %s
"""
_DONE = """
UPDATE workflows_digest d SET due_at = NULL WHERE d.tenant_id = %s AND d.id = %s AND d.status = 'closed'
   AND NOT EXISTS (SELECT 1 FROM workflows_digestitem i
                    WHERE i.tenant_id = d.tenant_id AND i.digest_id = d.id AND i.left_at IS NULL AND i.told_at IS NULL)
"""
_POSTPONE = """
UPDATE workflows_digest SET due_at = clock_timestamp() + make_interval(secs => %s)
 WHERE tenant_id = %s AND id = %s AND due_at IS NOT NULL
"""


class _Changed(Exception):
    """Another run leads than the one that was locked: look again."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who closes a digest before its time, and why."""

    cause: Cause
    cause_ref: str
    why: str


def close_due_digests(*, tenant_id: int, now: datetime | None = None) -> int:
    """Close the tenant's digests whose time has come, and tell the members of closed ones; how many were taken up.

    `now` replaces the database clock where a test moves time.
    """
    with tenant_scope(tenant_id):
        due = fetch(_DUE, [tenant_id, now])
    for digest_id, _ in due:
        try:
            close_digest(tenant_id=tenant_id, digest_id=digest_id, now=now)
            tell_members(tenant_id=tenant_id, digest_id=digest_id, now=now)
        except OperationalError:
            raise
        except Exception as error:
            log.exception("digest_not_closed", tenant_id=tenant_id, digest_id=digest_id, error=type(error).__name__)
            with tenant_scope(tenant_id):
                execute(_POSTPONE, [POSTPONED, tenant_id, digest_id])
    return len(due)


def close_digest(*, tenant_id: int, digest_id: int, asked: Asked | None = None, now: datetime | None = None) -> bool:
    """Close a digest whose time has come, or with `asked` at once; whether this call did. Closing again is a no-op."""
    while True:
        try:
            with tenant_scope(tenant_id):
                return _close(tenant_id, digest_id, asked, now)
        except _Changed:
            continue


def _close(tenant_id: int, digest_id: int, asked: Asked | None, now: datetime | None) -> bool:
    leader = fetch(_LEADER, [tenant_id, digest_id])
    batch = RunBatch.lock(tenant_id, [row[0] for row in leader], now=now)
    ((public_id, step, status, count, closes_at),) = fetch(_LOCK, [tenant_id, digest_id])
    if status == DigestStatus.CLOSED or (asked is None and closes_at > batch.now):
        return False
    if fetch(_LEADER, [tenant_id, digest_id]) != leader:  # somebody left, was paused or resumed before we had the locks
        raise _Changed
    by = ClosedBy.FULL if status == DigestStatus.FULL else ClosedBy.TIME if asked is None else ClosedBy.FLUSH
    run_id = None
    if leader:
        run_id, step_run_id, visit = leader[0]
        context = {"digest": str(public_id), "count": count, "closed_by": str(by)}
        _lead(batch, (digest_id, step, count), (run_id, step_run_id, visit), context, asked)
    others = batch.now if count > 1 else None
    execute(_CLOSE, [batch.now, str(by), run_id, others, tenant_id, digest_id])
    batch.flush()
    return True


def _lead(
    batch: RunBatch,
    digest: tuple[int, str, int],
    place: tuple[int, int, int],
    context: Mapping[str, Any],
    asked: Asked | None,
) -> None:
    """The leader goes on with the digest as what its step collected."""
    (digest_id, step, count), (run_id, step_run_id, visit) = digest, place
    config = step_of(batch.tenant_id, batch.runs[run_id].definition, step).config
    output = output_of(batch.tenant_id, digest_id, count, str(context["digest"]), config.get("show", SHOWN))
    answer = store_answer(batch.tenant_id, answer_name(config), output)
    write.settle_step_runs(batch.tenant_id, [(step_run_id, "succeeded", COLLECTED)], batch.now)
    execute(_TOLD, [batch.now, batch.tenant_id, [step_run_id]])
    cause, ref = (asked.cause, asked.cause_ref) if asked else (Cause.TIMER, f"{step}:{visit}")
    said = {**context, "why": asked.why} if asked and asked.why else context
    batch.apply(run_id, StepSettled(step, visit, COLLECTED, ref, said, cause, answer))


def output_of(tenant_id: int, digest_id: int, count: int, public_id: str, show: int = SHOWN) -> dict[str, Any]:
    """What the leader goes on with, of the items that have not been erased. Needs the tenant's scope."""
    ((first_at, last_at),) = fetch(_TOTALS, [tenant_id, digest_id])
    shas = [row[0] for row in fetch(_FIRST, [tenant_id, digest_id, min(show, MOST_SHOWN)])]
    payloads = load_payloads(tenant_id, [bytes(sha) for sha in shas if sha is not None])
    items = [payloads[bytes(sha)] for sha in shas if sha is not None and bytes(sha) in payloads]
    return collected(items, count=count, first_at=first_at, last_at=last_at, digest=public_id, show=show)


def tell_members(*, tenant_id: int, digest_id: int, now: datetime | None = None) -> int:
    """Let the runs go on whose items a closed digest took along; how many. Several at once share the work."""
    total = 0
    while told := _tell(tenant_id, digest_id, now):
        total += told
    return total


def _tell(tenant_id: int, digest_id: int, now: datetime | None) -> int:
    with tenant_scope(tenant_id):
        met = fetch(_UNTOLD, [tenant_id, digest_id, MEMBERS])
        batch = RunBatch.lock(tenant_id, [row[1] for row in met], now=now)
        met = [row for row in fetch(_UNTOLD, [tenant_id, digest_id, MEMBERS]) if row[1] in batch.runs]
        if not met:
            execute(_DONE, [tenant_id, digest_id])
            return 0
        write.settle_step_runs(tenant_id, [(row[0], "succeeded", DIGESTED) for row in met], batch.now)
        execute(_TOLD, [batch.now, tenant_id, [row[0] for row in met]])
        for _, run_id, visit, step, public_id, leader, by in met:
            context = {"digest": str(public_id), "leader": str(leader), "closed_by": by}
            batch.apply(run_id, StepSettled(step, visit, DIGESTED, str(public_id), context))
        batch.flush()
        return len(met)
