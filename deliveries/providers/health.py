"""How well an account does: failures in a row let others go first for a while."""

from datetime import datetime, timedelta

from django.db.models import F

from deliveries.models import Provider
from tenants.scope import tenant_scope
from workflows.steps.base import Outcome

PATIENCE = 3  # failures in a row before others are asked first
SHORTEST, LONGEST = timedelta(seconds=30), timedelta(minutes=10)


def note_outcome(tenant_id: int, account_id: int, failures: int, outcome: Outcome) -> None:
    """Keep what a try says of the provider. A message's own fault, and a success, say that it is well.

    `failures` is what was known before the try: a provider that is well costs no write.
    """
    if not outcome.retryable and not failures:
        return
    with tenant_scope(tenant_id) as scope:
        rows = Provider.objects.filter(tenant_id=tenant_id, id=account_id)
        if not outcome.retryable:
            rows.update(failures=0, unhealthy_until=None)
            return
        rows.update(failures=F("failures") + 1, last_error=outcome.error[:200], last_failed_at=scope.now)
        failed = rows.values_list("failures", flat=True).first() or 1
        until = _until(failed, outcome.retry_after, scope.now)
        if until is not None:
            rows.update(unhealthy_until=until)


def _until(failures: int, retry_after: float | None, now: datetime) -> datetime | None:
    if retry_after is not None:
        return now + timedelta(seconds=retry_after)
    if failures < PATIENCE:
        return None
    return now + min(SHORTEST * (1 << min(failures - PATIENCE, 10)), LONGEST)
