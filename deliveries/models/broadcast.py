"""Broadcasts: one order to start a run for each of many recipients, and the recipients that it is for."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from tenants.ids import new_public_id
from tenants.models.tenant import TenantPart, TenantRow

SEALED = "deliveries_broadcastchunk.sealed"


class BroadcastSource(models.TextChoices):
    """Where the targets come from."""

    LIST = "list"  # named in the request
    FILE = "file"  # CSV or JSON lines
    SEGMENT = "segment"


class BroadcastStatus(models.TextChoices):
    """A draft starts nothing. What is gathering, running or cancelling has work to do; the others have ended."""

    DRAFT = "draft"
    GATHERING = "gathering"
    RUNNING = "running"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    FAILED = "failed"


AT_WORK = (BroadcastStatus.GATHERING, BroadcastStatus.RUNNING, BroadcastStatus.CANCELLING)
ENDED = (BroadcastStatus.CANCELLED, BroadcastStatus.COMPLETED, BroadcastStatus.FAILED)


class Broadcast(TenantRow):
    """Everything that the runs will be started with is frozen when it is made: version, data, condition.

    `cursor` is the position of the next target. It moves in the commit that starts the runs before it. `due_at` is when
    a worker takes it up next; `note` says why it rests.
    """

    public_id = models.UUIDField(default=new_public_id, editable=False)
    name = models.CharField(max_length=200, blank=True)
    definition_key = models.CharField(max_length=64)
    version = models.PositiveIntegerField()
    source = models.CharField(max_length=16, choices=BroadcastSource)
    segment_key = models.CharField(max_length=64, blank=True)
    condition: "models.JSONField[Any, Any]" = models.JSONField(null=True)
    columns: "models.JSONField[Any, Any]" = models.JSONField(default=dict)  # heading of a CSV -> what it holds
    correlation: "models.JSONField[Any, Any]" = models.JSONField(default=dict)
    data_sha = models.BinaryField(max_length=32, null=True)
    rate = models.PositiveIntegerField(null=True, help_text="Starts per minute.")
    status = models.CharField(max_length=16, choices=BroadcastStatus, default=BroadcastStatus.DRAFT)
    note = models.CharField(max_length=32, blank=True)
    failure = models.CharField(max_length=64, blank=True)
    failures = models.PositiveSmallIntegerField(default=0)  # turns that broke, one after the other
    revision = models.PositiveIntegerField(default=1)  # of a draft: one more with each upload
    total = models.PositiveIntegerField(default=0)
    cursor = models.PositiveIntegerField(default=0)
    started = models.PositiveIntegerField(default=0)
    skipped: "models.JSONField[Any, Any]" = models.JSONField(default=dict)  # reason -> how many
    gathered_after = models.BigIntegerField(default=0)  # of a segment: the recipient that was looked at last
    gather_up_to = models.BigIntegerField(default=0)
    cancels_runs = models.BooleanField(default=False)
    cancelled_after = models.BigIntegerField(default=0)  # the run that was cancelled last
    cancelled_runs = models.PositiveIntegerField(default=0)
    made_by = models.CharField(max_length=150)
    ordered_by = models.CharField(max_length=150, blank=True)
    cancelled_by = models.CharField(max_length=150, blank=True)
    reason = models.CharField(max_length=64, blank=True, help_text="Why it was cancelled.")
    due_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)
    ordered_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "public_id"], name="broadcast_public_id"),
            models.CheckConstraint(
                condition=Q(status__in=AT_WORK, due_at__isnull=False)
                | (~Q(status__in=AT_WORK) & Q(due_at__isnull=True)),
                name="broadcast_at_work_is_due",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "due_at"], condition=Q(due_at__isnull=False), name="broadcast_due"),
            models.Index(
                fields=["tenant", "finished_at"], condition=Q(status="failed"), name="broadcast_failed"
            ),  # few, and looked for by the home page and the metrics
            models.Index(  # whether anything names a payload: asked before it is collected
                fields=["tenant", "data_sha"], condition=Q(data_sha__isnull=False), name="broadcast_data"
            ),
        ]

    def __str__(self) -> str:
        return self.name or f"{self.definition_key} {self.public_id}"

    @property
    def has_ended(self) -> bool:
        """Whether nothing comes of it any more."""
        return self.status in ENDED

    @property
    def skipped_by_reason(self) -> dict[str, int]:
        """How many targets got no run, by reason. What it did not come to before it ended is among them."""
        left = self.total - self.started - sum(self.skipped.values())
        if left <= 0 or self.status not in (BroadcastStatus.CANCELLED, BroadcastStatus.FAILED):
            return dict(self.skipped)
        return {**self.skipped, str(self.status): self.skipped.get(str(self.status), 0) + left}

    @property
    def not_started(self) -> int:
        """How many targets got no run."""
        return sum(self.skipped_by_reason.values())


class BroadcastChunk(TenantPart):
    """Some hundred targets in order. What is said of each is sealed, and forgotten when their runs have it.

    `skipped` has the index of each target that got no run, and why.
    """

    public_id = models.UUIDField(default=new_public_id, editable=False)
    broadcast = models.ForeignKey(
        Broadcast, models.DO_NOTHING, related_name="chunks", db_constraint=False, db_index=False
    )
    first = models.PositiveIntegerField()  # position of its first target, from 0
    subjects: "ArrayField[Any, Any]" = ArrayField(models.CharField(max_length=200))
    sealed = models.BinaryField(null=True)
    skipped: "models.JSONField[Any, Any]" = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "broadcast", "first"], name="broadcast_chunk_first")]

    def __str__(self) -> str:
        return f"targets from {self.first + 1}"

    @property
    def end(self) -> int:
        """The position after its last target."""
        return self.first + len(self.subjects)
