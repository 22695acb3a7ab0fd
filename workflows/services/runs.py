"""Reading runs in Python: one, many, their steps; and holding one under its row lock."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tenants.scope import tenant_scope
from tenants.sql import fetch
from workflows.definitions.document import Step
from workflows.errors import RunNotFound
from workflows.models import Run
from workflows.querysets import RunQuerySet
from workflows.services.documents import documents
from workflows.services.wide_search import bounded_search

_LINKAGE = """
SELECT r.public_id, r.step, coalesce(d.channel, '') FROM workflows_run r
  LEFT JOIN workflows_steprun s ON s.tenant_id = r.tenant_id AND s.run_id = r.id AND s.step = r.step
        AND s.visit = (r.visits ->> r.step)::int AND s.resend = 0 AND s.undo = 0
  LEFT JOIN LATERAL (SELECT t.config ->> 'channel' AS channel FROM workflows_step t
        WHERE t.tenant_id = r.tenant_id AND t.definition_id = r.definition_id AND t.key = r.step) d ON true
 WHERE r.tenant_id = %s AND r.state IN ('active', 'waiting', 'paused') AND r.step <> ''
   AND (%s::text IS NULL OR r.subject = %s) AND (%s::text IS NULL OR s.key = %s)
 ORDER BY r.id
"""


@dataclass(frozen=True, slots=True)
class ActiveStep:
    """Where a live run stands: its public id, the step's key, and the channel if the step delivers."""

    run: uuid.UUID
    step: str
    channel: str


def fetch_run(*, tenant_id: int, public_id: uuid.UUID) -> Run:
    """One run. Raises `RunNotFound`, also for another tenant's."""
    with tenant_scope(tenant_id):
        run = Run.objects.for_tenant(tenant_id).filter(public_id=public_id).first()
    if run is None:
        raise RunNotFound
    return run


@contextmanager
def lock_run(*, tenant_id: int, public_id: uuid.UUID) -> Iterator[Run]:
    """One run under its row lock while the block lasts: signals, timers and cancels wait. Raises `RunNotFound`."""
    with tenant_scope(tenant_id):
        for run in Run.objects.for_tenant(tenant_id).filter(public_id=public_id).locked():
            yield run
            return
        raise RunNotFound


def list_runs(
    *,
    tenant_id: int,
    definition_key: str | None = None,
    state: str | None = None,
    subject: str | None = None,
    correlation: Mapping[str, str] | None = None,
    waiting_on: str | None = None,
    due_before: datetime | None = None,
    after: uuid.UUID | None = None,
    limit: int = 100,
) -> list[Run]:
    """Runs that meet every condition, newest first, at most `limit`; `after` is the last run of the page before.

    `waiting_on` names a signal that an open wait listens for. Raises `RunNotFound` for an `after` that is not there,
    and `SearchTooWide` when too many runs had to be looked through for a correlation value.
    """
    asked: dict[str, Any] = {"definition_key": definition_key, "state": state, "subject": subject}
    asked |= {"due_at__lt": due_before, "correlation__contains": dict(correlation) if correlation else None}
    with tenant_scope(tenant_id), bounded_search(is_wide=bool(correlation)):
        runs: RunQuerySet = Run.objects.for_tenant(tenant_id)
        runs = runs.filter(**{name: value for name, value in asked.items() if value is not None})
        if waiting_on is not None:
            runs = runs.waiting_on(waiting_on)
        if after is not None:
            runs = runs.filter(id__lt=fetch_run(tenant_id=tenant_id, public_id=after).pk)
        return list(runs.order_by("-id")[: max(0, limit)])


def current_step(*, tenant_id: int, public_id: uuid.UUID) -> Step | None:
    """The step that a run stands at, or None before its first and after its end. Raises `RunNotFound`."""
    run = fetch_run(tenant_id=tenant_id, public_id=public_id)
    return None if run.is_finished or not run.step else _step(tenant_id, run, run.step)


def fetch_step_by_key(*, tenant_id: int, public_id: uuid.UUID, key: str) -> Step | None:
    """A step of the run's own version by key, or None. Raises `RunNotFound`."""
    return _step(tenant_id, fetch_run(tenant_id=tenant_id, public_id=public_id), key)


def active_steps(*, tenant_id: int, subject: str | None = None, effect_key: str | None = None) -> list[ActiveStep]:
    """Where live runs stand, of a subject or of the delivery with this effect key. Ended runs are never linked."""
    with tenant_scope(tenant_id):
        rows = fetch(_LINKAGE, [tenant_id, subject, subject, effect_key, effect_key])
        return [ActiveStep(*row) for row in rows]


def _step(tenant_id: int, run: Run, key: str) -> Step | None:
    with tenant_scope(tenant_id):
        return documents(tenant_id, [run.definition_id])[run.definition_id].document.by_key.get(key)
