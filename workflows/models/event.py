"""Events out: who wants to hear what, what happened, what is owed to whom, and how each try went."""

from datetime import datetime
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from tenants.ids import new_public_id
from tenants.models.tenant import TenantRow
from tenants.signing_secrets import live_secrets
from tenants.vault import vault_of

SECRETS = "workflows_eventsubscription.secrets"


class DisabledReason(models.TextChoices):
    """Why a subscription is off."""

    ASKED = "asked", "somebody switched it off"
    GONE = "gone", "the receiver answered 410"
    FAILING = "failing", "every try failed for 120 hours"


class DispatchStatus(models.TextChoices):
    """Where one event stands on its way to one subscription."""

    OWED = "owed"
    RUNNING = "running"
    DELIVERED = "delivered"
    EXHAUSTED = "exhausted"


class EventSubscription(TenantRow):
    """A receiver of events: its address, the types it wants (none named: all) and the secrets we sign with.

    `failing_since` is when the first of the tries failed that have all failed since; `hold_until` keeps every worker
    away from a receiver that does not answer.
    """

    public_id = models.UUIDField(default=new_public_id, editable=False)
    key = models.CharField(max_length=64)
    url = models.CharField(max_length=2000)
    types: "ArrayField[Any, Any]" = ArrayField(models.CharField(max_length=64), default=list)
    description = models.CharField(max_length=200, blank=True, default="")
    secrets: "models.JSONField[Any, Any]" = models.JSONField(default=list)  # newest first, as `tenants.signing_secrets`
    enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=16, choices=DisabledReason, blank=True, default="")
    disabled_at = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)  # one after the other
    hold_until = models.DateTimeField(null=True)
    succeeded_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="event_subscription_key"),
            models.UniqueConstraint(fields=["tenant", "public_id"], name="event_subscription_public_id"),
        ]

    def __str__(self) -> str:
        return self.key

    def live_secrets(self, now: datetime) -> list[str]:
        """The secrets that sign at `now`, newest first."""
        return live_secrets(vault_of(self.tenant_id), SECRETS, str(self.public_id), self.secrets, now)


class Event(TenantRow):
    """One thing that happened, written by the transaction that made it happen. `data` holds names, ids and states."""

    public_id = models.UUIDField(default=new_public_id, editable=False)
    type = models.CharField(max_length=64)
    run_public_id = models.UUIDField(null=True)
    data = models.JSONField(default=dict)
    occurred_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "public_id"], name="event_public_id")]
        indexes = [
            models.Index(fields=["tenant", "run_public_id", "id"], name="event_of_run"),
            models.Index(fields=["tenant", "occurred_at"], name="event_by_time"),  # replay by range, pruning
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.public_id}"


class EventDispatch(TenantRow):
    """One event owed to one subscription. A running one keeps its lease in `due_at`.

    The subscription has no foreign key: its check would make a run's commit fail, or wait, when a subscription is
    deleted meanwhile. What names a deleted one is never claimed, and pruned.
    """

    event = models.ForeignKey(Event, models.PROTECT, related_name="dispatches", db_constraint=False, db_index=False)
    subscription = models.ForeignKey(
        EventSubscription, models.DO_NOTHING, related_name="dispatches", db_constraint=False, db_index=False
    )
    status = models.CharField(max_length=16, choices=DispatchStatus, default=DispatchStatus.OWED)
    tries = models.PositiveSmallIntegerField(default=0)  # of the schedule; a replay begins it anew
    attempts_made = models.PositiveIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "event dispatches"
        constraints = [models.UniqueConstraint(fields=["tenant", "event", "subscription"], name="event_dispatch_once")]
        indexes = [
            models.Index(
                fields=["tenant", "subscription", "due_at", "id"],
                condition=Q(due_at__isnull=False),
                name="event_dispatch_due",
            ),
            models.Index(
                fields=["tenant", "subscription"], condition=Q(status="running"), name="event_dispatch_running"
            ),
            models.Index(fields=["tenant", "subscription", "-id"], name="event_dispatch_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.pk}"


class EventAttempt(TenantRow):
    """One try: the status that the receiver answered with, or a code for why there was none. Never a body."""

    dispatch = models.ForeignKey(
        EventDispatch, models.PROTECT, related_name="attempts", db_constraint=False, db_index=False
    )
    number = models.PositiveIntegerField()
    status_code = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=100, blank=True, default="")
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField(null=True)  # NULL: the worker was lost

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "dispatch", "number"], name="event_attempt_number")]

    def __str__(self) -> str:
        return f"try {self.number}"
