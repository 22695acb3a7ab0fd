"""Firing schedules: each occurrence starts its runs once, whoever sweeps and however often.

The row lock makes one sweeper do it; the idempotency keys of the runs prove that nobody did it twice. The runs and the
schedule's next occurrence are written in one transaction.
"""

from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction

from chimeway_py.errors import ChimewayError
from signals_app.services.payloads import digest, load_payloads
from tenants.scope import tenant_scope
from workflows.errors import StartDataGone
from workflows.models import MissedPolicy, Schedule
from workflows.services.occurrences import latest_occurrences, occurrences_after
from workflows.services.start import NewRun, start_runs
from workflows.states import Cause

log = structlog.get_logger(__name__)

IN_TIME = timedelta(minutes=5)  # later than this, an occurrence counts as missed
MOST_SCHEDULES = 100  # that one turn of a tenant takes up


def fire_due_schedules(*, tenant_id: int, now: datetime | None = None) -> int:
    """Start the runs of one occurrence of every schedule that is due; how many occurrences started something.

    After a downtime a schedule makes up for one occurrence a turn, as its policy says. A schedule whose runs are
    refused notes why and goes on to its next occurrence; one that fails unexpectedly stays due, and holds up no other.
    """
    with tenant_scope(tenant_id) as scope:
        due = Schedule.objects.filter(tenant_id=tenant_id, next_at__lte=now or scope.now).order_by("next_at", "id")
        ids = list(due.values_list("id", flat=True)[:MOST_SCHEDULES])
    return sum(_fire(tenant_id, schedule_id, now) for schedule_id in ids)


def _fire(tenant_id: int, schedule_id: int, now: datetime | None) -> bool:
    try:
        with tenant_scope(tenant_id) as scope:
            now = now or scope.now
            mine = Schedule.objects.select_for_update(no_key=True, skip_locked=True)
            schedule = mine.filter(tenant_id=tenant_id, id=schedule_id, next_at__lte=now).first()
            return schedule is not None and _go_on(schedule, now)
    except Exception:
        log.exception("schedule_failed", tenant_id=tenant_id, schedule_id=schedule_id)
        return False


def _go_on(schedule: Schedule, now: datetime) -> bool:
    """Start the first occurrence that is to be made up for, and note when the next one comes."""
    kept = _kept(schedule, now)
    started = bool(kept) and _start(schedule, kept[0])
    schedule.next_at = kept[1] if len(kept) > 1 else _next(schedule, now)
    schedule.enabled = schedule.next_at is not None
    schedule.save(update_fields=["next_at", "enabled", "started_at", "skipped_at", "refused_at", "refusal"])
    return started


def _kept(schedule: Schedule, now: datetime) -> list[datetime]:
    """The due occurrences that start something, in order; the latest of the others is noted on the schedule."""
    assert schedule.next_at is not None
    most = schedule.most_missed if schedule.missed == MissedPolicy.ALL else 1
    due = latest_occurrences(schedule.expression, schedule.zone, schedule.next_at, now, most + 1)
    kept = due[-most:]
    if schedule.missed == MissedPolicy.SKIP:
        kept = [one for one in kept if one >= now - IN_TIME]
    left_out = due[: len(due) - len(kept)]
    schedule.skipped_at = left_out[-1] if left_out else schedule.skipped_at
    return kept


def _next(schedule: Schedule, now: datetime) -> datetime | None:
    return next(occurrences_after(schedule.expression, schedule.zone, now), None)


def _start(schedule: Schedule, occurrence: datetime) -> bool:
    """Whether the runs of an occurrence exist now; a refusal is noted on the schedule."""
    try:
        with transaction.atomic():
            start_runs(
                tenant_id=schedule.tenant_id,
                definition_key=schedule.definition_key,
                version=schedule.version,
                runs=_runs(schedule, occurrence),
            )
    except ChimewayError as error:
        schedule.refused_at, schedule.refusal = occurrence, error.code
        log.warning("schedule_refused", tenant_id=schedule.tenant_id, schedule=schedule.key, code=error.code)
        return False
    schedule.started_at = occurrence
    return True


def _runs(schedule: Schedule, occurrence: datetime) -> list[NewRun]:
    instant = f"{occurrence:%Y-%m-%dT%H:%MZ}"
    data = data_of(schedule)
    return [
        NewRun(
            subject=subject,
            correlation=schedule.correlation,
            data=data,
            # By digest: a subject may be as long as the whole key.
            idempotency_key=f"schedule:{schedule.key}:{instant}:{digest(subject).hex()[:16]}",
            cause=Cause.TIMER,
            cause_ref=f"schedule:{schedule.key}",
            origin={"schedule": schedule.key, "occurrence": instant},
        )
        for subject in schedule.subjects
    ]


def data_of(schedule: Schedule) -> dict[str, Any]:
    """What the runs of a schedule start with; inside its tenant's scope. Raises `StartDataGone`."""
    if schedule.data_sha is None:
        return {}
    address = bytes(schedule.data_sha)
    found = load_payloads(schedule.tenant_id, [address])
    if address not in found:
        raise StartDataGone
    return dict(found[address])
