"""Domain words that chain."""

from typing import TYPE_CHECKING, Any

from django.db import models

from workflows.states import LIVE

if TYPE_CHECKING:
    pass


class DefinitionQuerySet(models.QuerySet["Definition"]):
    """Definitions of a tenant."""

    def for_tenant(self, tenant_id: int) -> "DefinitionQuerySet":
        """Only this tenant's."""
        return self.filter(tenant_id=tenant_id)

    def published(self) -> "DefinitionQuerySet":
        """Versions that may start runs."""
        return self.filter(status="published")

    def latest_first(self) -> "DefinitionQuerySet":
        """Newest version first."""
        return self.order_by("key", "-version")


class RunQuerySet(models.QuerySet["Run"]):
    """Runs of a tenant."""

    def for_tenant(self, tenant_id: int) -> "RunQuerySet":
        """Only this tenant's."""
        return self.filter(tenant_id=tenant_id)

    def live(self) -> "RunQuerySet":
        """Runs that have not ended."""
        return self.filter(state__in=LIVE)

    def waiting_on(self, name: str) -> "RunQuerySet":
        """Runs with an open wait that listens for this signal name."""
        return self.filter(state="waiting", waits__closed_at__isnull=True, waits__signals__contains=[{"name": name}])

    def overdue(self, now: Any) -> "RunQuerySet":
        """Runs whose clock has passed: a number that should be zero."""
        return self.filter(due_at__lt=now)

    def locked(self) -> "RunQuerySet":
        """Locked in id order, so that two callers never wait for each other in a circle. Evaluate inside a transaction."""
        return self.order_by("id").select_for_update(no_key=True)


class TransitionQuerySet(models.QuerySet["Transition"]):
    """The lines of a trace."""

    def in_order(self) -> "TransitionQuerySet":
        """Oldest first."""
        return self.order_by("seq")


class StepRunQuerySet(models.QuerySet["StepRun"]):
    """Work owed."""

    def for_tenant(self, tenant_id: int) -> "StepRunQuerySet":
        """Only this tenant's."""
        return self.filter(tenant_id=tenant_id)

    def in_flight(self) -> "StepRunQuerySet":
        """Claimed by a worker at this moment."""
        return self.filter(status="running")
