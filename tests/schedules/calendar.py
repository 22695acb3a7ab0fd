"""Schedules of a tenant whose journey rests at once, and a clock that the test sets."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import GRACE, publish
from workflows.models import Run, Schedule
from workflows.services.occurrences import occurrences_after
from workflows.services.schedules import create_schedule


def at(text: str) -> datetime:
    """An instant in UTC, such as 2026-03-29 01:30."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def scheduled(tenant: Tenant, expression: str = "0 9 * * *", since: datetime | None = None, **given: Any) -> Schedule:
    """A schedule of the dunning journey for ada; with `since`, as though it had been made at that time."""
    publish(tenant, GRACE)
    asked: dict[str, Any] = {"key": "daily", "definition_key": "dunning", "subjects": ["ada"], "zone": "UTC"}
    made = create_schedule(tenant_id=tenant.pk, expression=expression, **(asked | given))
    if since is not None:
        due = next(occurrences_after(made.expression, made.zone, since - timedelta(seconds=1)))
        with tenant_scope(tenant.pk):
            Schedule.objects.filter(tenant_id=tenant.pk, key=made.key).update(next_at=due)
    return schedule_of(tenant, made.key)


def schedule_of(tenant: Tenant, key: str = "daily") -> Schedule:
    """The schedule as it stands."""
    with tenant_scope(tenant.pk):
        return Schedule.objects.get(tenant_id=tenant.pk, key=key)


def started(tenant: Tenant) -> list[str]:
    """The occurrences that started a run, in the order in which they did."""
    with tenant_scope(tenant.pk):
        runs = Run.objects.for_tenant(tenant.pk).order_by("id")
        return [run.status_context["occurrence"] for run in runs]
