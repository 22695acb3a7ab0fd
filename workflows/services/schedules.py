"""Schedules: make, change and forget them. `firing` starts their runs."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from chimeway_py.errors import Invalid, fault
from signals_app.services.payloads import canonical, write_payloads
from tenants.models import Tenant
from tenants.scope import tenant_scope
from workflows.definitions.errors import DefinitionNotFound
from workflows.errors import DefinitionOff, ScheduleExists, ScheduleNotFound
from workflows.models import MissedPolicy, Schedule
from workflows.services.documents import Loaded
from workflows.services.firing import data_of
from workflows.services.occurrences import occurrence_faults, occurrences_after
from workflows.services.start import NewRun
from workflows.services.start_checks import check_starts, startable

UPCOMING = 5
MOST_SUBJECTS = 1000
MOST_MISSED = 100
RESERVED = {"preview"}
_KEY = re.compile(r"[a-z0-9_]{1,64}")
_WHEN = {"expression", "zone", "enabled"}
_WHAT = {"definition_key", "version", "subjects", "correlation", "data", "enabled"}


def create_schedule(
    *,
    tenant_id: int,
    key: str,
    definition_key: str,
    expression: str,
    subjects: Sequence[str],
    zone: str = "",
    version: int | None = None,
    correlation: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    missed: str = MissedPolicy.LATEST,
    most_missed: int = 10,
    enabled: bool = True,
) -> Schedule:
    """Store a schedule; it fires from now on. `zone` is the tenant's own when it is left out.

    Raises `Invalid` listing every fault, `DefinitionNotFound` and `ScheduleExists`.
    """
    with tenant_scope(tenant_id) as scope:
        schedule = Schedule(
            tenant_id=tenant_id,
            key=key,
            definition_key=definition_key,
            version=version,
            expression=expression.strip(),
            zone=zone or Tenant.objects.get(id=tenant_id).time_zone,
            subjects=list(dict.fromkeys(subjects)),
            correlation=dict(correlation or {}),
            missed=missed,
            most_missed=most_missed,
            enabled=enabled,
            created_at=scope.now,
        )
        _check(schedule, data or {}, [] if _is_key(key) else [_KEY_FAULT])
        if Schedule.objects.filter(tenant_id=tenant_id, key=key).exists():
            raise ScheduleExists(f"There is a schedule {key!r} already.")
        _plan(schedule, scope.now)
        return _store(schedule, data or {}, scope.now)


def change_schedule(*, tenant_id: int, key: str, changes: Mapping[str, Any]) -> Schedule:
    """Change what `changes` names of a schedule (any argument of `create_schedule` but the key); the rest stays.

    A change of expression, zone or `enabled` counts from now on: nothing is made up for. Raises `ScheduleNotFound`,
    `Invalid` and `DefinitionNotFound`, and then nothing was changed.
    """
    with tenant_scope(tenant_id) as scope:
        schedule = _locked(tenant_id, key)
        for name in changes.keys() - {"data"}:
            setattr(schedule, name, changes[name])
        data = changes.get("data")
        if changes.keys() & _WHAT and schedule.enabled:
            _check(schedule, data_of(schedule) if data is None else data)
        else:
            _refuse(list(_faults_of_times(schedule)))
        if changes.keys() & _WHEN:
            _plan(schedule, scope.now)
        return _store(schedule, data, scope.now)


def delete_schedule(*, tenant_id: int, key: str) -> None:
    """Forget a schedule; the runs that it started stay. Raises `ScheduleNotFound`."""
    with tenant_scope(tenant_id):
        _locked(tenant_id, key).delete()


def schedule_named(tenant_id: int, key: str) -> Schedule:
    """The schedule, inside its tenant's scope. Raises `ScheduleNotFound`."""
    found = Schedule.objects.filter(tenant_id=tenant_id, key=key).first()
    if found is None:
        raise ScheduleNotFound(f"No such schedule: {key!r}.")
    return found


def preview(*, expression: str, zone: str, after: datetime, count: int = UPCOMING) -> list[datetime]:
    """The next occurrences in UTC. Raises `Invalid`."""
    faults = occurrence_faults(expression, zone)
    if faults:
        raise Invalid("The schedule is not valid.", faults)
    return list(islice(occurrences_after(expression, zone, after), count))


def upcoming(schedule: Schedule, now: datetime) -> list[datetime]:
    """The next occurrences of a schedule, in UTC; none while it is off."""
    if not schedule.enabled:
        return []
    return list(islice(occurrences_after(schedule.expression, schedule.zone, now), UPCOMING))


def _plan(schedule: Schedule, now: datetime) -> None:
    schedule.next_at = next(iter(upcoming(schedule, now)), None)
    schedule.enabled = schedule.next_at is not None


def _store(schedule: Schedule, data: Mapping[str, Any] | None, now: datetime) -> Schedule:
    """Write the schedule, and its data unless that stays as it is (None)."""
    if data is not None:
        written = write_payloads(tenant_id=schedule.tenant_id, texts=[canonical(data)] if data else [])
        schedule.data_sha = next(iter(written.values()), None)
    schedule.updated_at = now
    schedule.save()
    return schedule


def _check(schedule: Schedule, data: Mapping[str, Any], faults: Sequence[dict[str, str]] = ()) -> None:
    """Raise `Invalid` with every fault of the times and of the runs that it would start.

    A definition that is not there, or is off, is the refusal when nothing else is wrong, and one of the faults else.
    """
    found = [*faults, *_faults_of_times(schedule)]
    try:
        loaded = startable(schedule.tenant_id, schedule.definition_key, schedule.version)
    except (DefinitionNotFound, DefinitionOff) as error:
        if not found:
            raise
        found.append(fault("/workflow", error.code, error.message))
    else:
        found += _faults_of_runs(schedule, loaded, data)
    _refuse(found)


def _faults_of_runs(schedule: Schedule, loaded: Loaded, data: Mapping[str, Any]) -> list[dict[str, Any]]:
    subjects = schedule.subjects[:MOST_SUBJECTS]
    try:
        check_starts(loaded, [NewRun(subject=one, correlation=schedule.correlation, data=data) for one in subjects])
    except Invalid as error:
        told = [] if isinstance(error.detail, Mapping) else error.detail
        found = [{**one, "path": _path(str(one["path"]))} for one in told]
        return list({str(one): one for one in found}.values())
    return []


def _faults_of_times(schedule: Schedule) -> Iterator[dict[str, Any]]:
    yield from occurrence_faults(schedule.expression, schedule.zone)
    if schedule.missed not in MissedPolicy.values:
        yield fault("/missed", "unknown_policy", f"One of {', '.join(MissedPolicy.values)}.")
    if not 1 <= schedule.most_missed <= MOST_MISSED:
        yield fault("/most_missed", "bad_number", f"A whole number from 1 to {MOST_MISSED}.")
    if not 1 <= len(schedule.subjects) <= MOST_SUBJECTS:
        yield fault("/subjects", "bad_length", f"A list of 1 to {MOST_SUBJECTS}.")


def _refuse(faults: Sequence[dict[str, Any]]) -> None:
    if faults:
        raise Invalid("The schedule is not valid.", faults)


def _path(of_run: str) -> str:
    """The place in a schedule of a fault that a start names by the index of the run."""
    _, index, rest = of_run.split("/", 2)
    return f"/subjects/{index}" if rest == "subject" else f"/{rest}"


def _is_key(key: str) -> bool:
    return _KEY.fullmatch(key) is not None and key not in RESERVED


_KEY_FAULT = fault("/key", "bad_key", "1 to 64 of a-z, 0-9 and _; not `preview`.")


def _locked(tenant_id: int, key: str) -> Schedule:
    found = Schedule.objects.select_for_update(no_key=True).filter(tenant_id=tenant_id, key=key).first()
    if found is None:
        raise ScheduleNotFound(f"No such schedule: {key!r}.")
    return found
