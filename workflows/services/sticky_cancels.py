"""Catching starts that were cancelled before they came.

A start looks for sticky cancels before it commits, and a sticky cancel looks for runs after it is written; both under
one lock of the tenant, shared among starts, so that neither can miss the other.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tenants.sql import Question, Rows, fetch
from workflows.engine.events import CancelAsked
from workflows.states import Cause
from workflows.store.batch import RunBatch

_LOCK_SPACE = 0x57C << 48  # above any tenant id, so that locks of other purposes do not meet these
_SHARE = "SELECT pg_advisory_xact_lock_shared(%s)"
_OWN = "SELECT pg_advisory_xact_lock(%s)"
#: Whether any cancel of the tenant waits for runs, as an expression.
IS_STICKING = "EXISTS (SELECT 1 FROM workflows_stickycancel WHERE tenant_id = %s AND until > clock_timestamp())"
_STICKING = """
SELECT mark, public_id, cause, cause_ref, reason FROM workflows_stickycancel
 WHERE tenant_id = %s AND workflow IN ('', %s) AND mark = ANY(%s) AND until > clock_timestamp()
"""


def marks(idempotency_key: str | None, correlation: Mapping[str, Any]) -> Iterator[str]:
    """What a sticky cancel may know a start by."""
    if idempotency_key:
        yield f"@key={idempotency_key}"
    yield from (f"{name}={value}" for name, value in correlation.items())


def lock_starts(tenant_id: int) -> None:
    """Wait for the tenant's starts under way, and keep others waiting until this transaction ends."""
    fetch(_OWN, [_LOCK_SPACE + tenant_id])


def sharing_starts(tenant_id: int) -> Question:
    """To be asked before `IS_STICKING`: no cancel can begin to wait for runs until this transaction ends."""
    return _SHARE, [_LOCK_SPACE + tenant_id]


def catch_cancelled(tenant_id: int, workflow: str, starts: Mapping[int, Sequence[str]]) -> set[int]:
    """Cancel the runs, given by id with their marks, that cancels were waiting for; the ids of those caught.

    Inside the transaction that wrote the runs, after `sharing_starts`.
    """
    wanted = sorted({mark for own in starts.values() for mark in own})
    return _cancel(tenant_id, starts, fetch(_STICKING, [tenant_id, workflow, wanted])) if wanted else set()


def _cancel(tenant_id: int, starts: Mapping[int, Sequence[str]], found: Rows) -> set[int]:
    sticking = {row[0]: row for row in found}
    caught = {
        run_id: next(sticking[mark] for mark in own if mark in sticking)
        for run_id, own in starts.items()
        if not sticking.keys().isdisjoint(own)
    }
    if caught:
        batch = RunBatch.lock(tenant_id, caught)
        for run_id, (_, public_id, cause, ref, reason) in caught.items():
            batch.apply(run_id, CancelAsked(Cause(cause), ref, reason, sticky=str(public_id)))
        batch.flush()
    return set(caught)
