"""Domain words that chain."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from django.db import models

from workflows.states import LIVE, Cause, Reason
from workflows.steps.registry import kinds

if TYPE_CHECKING:
    from workflows import models as rows  # noqa: F401  used in the base classes below


class DefinitionQuerySet(models.QuerySet["rows.Definition"]):
    """Definitions of a tenant."""

    def for_tenant(self, tenant_id: int) -> Self:
        """Only this tenant's."""
        return self.filter(tenant_id=tenant_id)

    def published(self) -> Self:
        """Versions that may start runs."""
        return self.filter(status="published")

    def latest_first(self) -> Self:
        """Newest version first."""
        return self.order_by("key", "-version")


class RunQuerySet(models.QuerySet["rows.Run"]):
    """Runs of a tenant."""

    def for_tenant(self, tenant_id: int) -> Self:
        """Only this tenant's."""
        return self.filter(tenant_id=tenant_id)

    def live(self) -> Self:
        """Runs that have not ended."""
        return self.filter(state__in=LIVE)

    def waiting_on(self, name: str) -> Self:
        """Runs with an open wait that listens for this signal name."""
        from workflows.models import Listener, Wait  # the models use these words

        # Few listeners are found by their index; of many, only as many waits are looked at as the page needs. A value
        # per run, because an EXISTS would be planned as a join, and nobody can estimate what `@>` finds.
        mine = {"tenant_id": models.OuterRef("tenant_id"), "run_id": models.OuterRef("id")}
        listening = Listener.objects.filter(**mine, name=name, live=True)
        is_named = models.ExpressionWrapper(models.Q(signals__contains=[{"name": name}]), models.BooleanField())
        waiting = Wait.objects.filter(**mine, closed_at__isnull=True).values_list(is_named)
        return self.filter(models.Exists(listening), models.Subquery(waiting), state="waiting")

    def asked_to_decide(self, actor: str = "", step: str = "", visit: int | None = None) -> Self:
        """Waiting runs with an open approval: one that this actor may decide, of this step and visit, if given."""
        from workflows.models import Wait  # the models use these words

        mine = {"tenant_id": models.OuterRef("tenant_id"), "run_id": models.OuterRef("id"), "closed_at__isnull": True}
        place = {name: value for name, value in (("step", step), ("visit", visit)) if value}
        asked = Wait.objects.filter(**mine, **place).exclude(routes={})
        if actor:
            asked = asked.filter(models.Q(actors=[]) | models.Q(actors__contains=[actor]))
        return self.filter(models.Exists(asked), state="waiting")

    def with_start_data(self) -> Self:
        """Runs that started without data, or whose data are still kept: others cannot be replayed."""
        from signals_app.models import Payload  # the models use these words

        kept = Payload.objects.filter(tenant_id=models.OuterRef("tenant_id"), address=models.OuterRef("data_sha"))
        return self.filter(models.Q(data_sha__isnull=True) | models.Exists(kept))

    def of_broadcast(self, public_id: Any) -> Self:
        """Runs that a broadcast started, by an index in which there are no others."""
        return self.filter(started_by=Cause.TRIGGER, started_by_ref=f"broadcast:{public_id}")

    def overdue(self, now: Any) -> Self:
        """Runs whose clock has passed: a number that should be zero."""
        return self.filter(due_at__lt=now)

    def overdue_timers(self, now: datetime) -> Self:
        """Waiting runs whose wait should have ended before `now`."""
        return self.filter(state="waiting", due_at__lt=now)

    def stuck(self, now: datetime) -> Self:
        """Live runs that should have moved: their clock passed a minute ago, or the engine fails on them."""
        late = models.Q(due_at__lt=now - timedelta(minutes=1))
        return self.live().filter(late | models.Q(due_at__isnull=False, engine_failures__gt=0))

    def engine_fails(self) -> Self:
        """Live runs that the engine failed to advance, and comes back to later and later."""
        return self.filter(engine_failures__gt=0, due_at__isnull=False)

    def with_unknown_outcome(self) -> Self:
        """Runs that stay at a step until somebody settles what became of it."""
        return self.filter(state="active", status_reason=Reason.UNKNOWN_OUTCOME)

    def failed_since(self, when: datetime) -> Self:
        """Runs that failed at `when` or later."""
        return self.filter(state="failed", finished_at__gte=when)

    def quarantined_since(self, when: datetime) -> Self:
        """Runs that failed because their work took down worker after worker."""
        return self.failed_since(when).filter(status_reason=Reason.STEP_QUARANTINED)

    def being_undone(self) -> Self:
        """Ended runs that owe a compensation, or have one under way or of unknown outcome: not to be pruned."""
        from workflows.models import StepRun  # the models use these words

        mine = {"tenant_id": models.OuterRef("tenant_id"), "run_id": models.OuterRef("id")}
        open_ = StepRun.objects.filter(**mine, undo__gt=0, status__in=["owed", "running", "unknown"])
        return self.filter(models.Exists(open_))

    def locked(self) -> Self:
        """Locked in id order, so that two callers never wait for each other in a circle.

        Evaluate inside a transaction.
        """
        return self.order_by("id").select_for_update(no_key=True)


class TransitionQuerySet(models.QuerySet["rows.Transition"]):
    """The lines of a trace."""

    def in_order(self) -> Self:
        """Oldest first."""
        return self.order_by("seq")


class StepRunQuerySet(models.QuerySet["rows.StepRun"]):
    """Work owed."""

    def for_tenant(self, tenant_id: int) -> Self:
        """Only this tenant's."""
        return self.filter(tenant_id=tenant_id)

    def in_flight(self) -> Self:
        """Claimed by a worker at this moment."""
        return self.filter(status="running")

    def undoable(self, steps: Sequence[str]) -> Self:
        """Visits of these steps that took effect, may have or may yet: what a cancel with compensation makes owed."""
        visits = self.filter(undo=0, resend=0, step__in=steps)
        took = models.Q(status="succeeded") & ~models.Q(outcome="suppressed")
        tried = models.Q(maybe_done=True) | models.Q(lost_attempts__gt=0)
        doubtful = tried & models.Q(kind__in=[name for name, kind in kinds().items() if getattr(kind, "acts", False)])
        return visits.filter(took | doubtful | models.Q(status__in=["running", "unknown"]))

    def left_to_undo(self, steps: Sequence[str]) -> Self:
        """Of those, visits that nothing undoes yet."""
        mine = {name: models.OuterRef(name) for name in ("tenant_id", "run_id", "step", "visit")}
        return self.undoable(steps).exclude(models.Exists(self.model._default_manager.filter(**mine, undo__gt=0)))

    def failed_to_undo(self) -> Self:
        """Compensations that failed: asking again tries them again."""
        return self.filter(undo__gt=0, resend=0, status="failed")
