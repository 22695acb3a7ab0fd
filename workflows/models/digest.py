"""Digests: items of many runs that become one message, and who brought each."""

from django.db import models

from tenants.ids import new_public_id
from tenants.models.tenant import TenantPart, TenantRow
from workflows.models.run import Run
from workflows.models.step_run import StepRun


class DigestStatus(models.TextChoices):
    """A digest collects until it is full, its time comes or somebody flushes it; then its leader goes on with it."""

    OPEN = "open"
    FULL = "full"  # it takes no more items, and is closed next
    CLOSED = "closed"


class ClosedBy(models.TextChoices):
    """What ended the collecting."""

    TIME = "time"
    FULL = "full"
    FLUSH = "flush"


class Digest(TenantRow):
    """What a step of a definition collects under one name. Its row lock orders joins, leaves and the close.

    `due_at` is when it wants attention: its end, or at once while members of a closed one have not been told; None
    when all is done. `leader_run` is the run that went on with it.
    """

    public_id = models.UUIDField(default=new_public_id, editable=False)
    definition_key = models.CharField(max_length=64)
    step = models.CharField(max_length=64)
    subject = models.CharField(max_length=200, blank=True, default="")  # empty: it collects across subjects
    name_sha = models.BinaryField(max_length=32, default=b"")  # the payload of what `by` led to, where it says `by`
    status = models.CharField(max_length=8, choices=DigestStatus)
    positions = models.PositiveIntegerField(default=0)  # given so far: an item keeps its own for ever
    count = models.PositiveIntegerField(default=0)  # items that are in it
    created_at = models.DateTimeField()
    closes_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=8, choices=ClosedBy, blank=True, default="")
    leader_run = models.ForeignKey(
        Run, models.PROTECT, null=True, related_name="digests", db_constraint=False, db_index=False
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "public_id"], name="digest_public_id"),
            models.UniqueConstraint(
                fields=["tenant", "definition_key", "step", "subject", "name_sha"],
                condition=models.Q(status=DigestStatus.OPEN),
                name="digest_one_open",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "due_at"], condition=models.Q(due_at__isnull=False), name="digest_due"),
            models.Index(fields=["tenant", "leader_run"], name="digest_of_leader"),
            models.Index(fields=["tenant", "name_sha"], name="digest_name"),
            models.Index(fields=["tenant", "subject"], name="digest_of_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.definition_key}/{self.step} ({self.status})"


class Left(models.TextChoices):
    """Why an item is in its digest no more."""

    SENT_FIRST = "sent_first"  # its run did not wait: the step lets the first go at once
    RUN_ENDED = "run_ended"
    REMOVED = "removed"


class DigestItem(TenantPart):
    """What one run brought. Positions are given under the lock of the digest, so they are the order of commits.

    `told_at` is when its run went on from the step; until then it stays there.
    """

    digest = models.ForeignKey(Digest, models.PROTECT, related_name="items", db_constraint=False, db_index=False)
    position = models.PositiveIntegerField()
    run = models.ForeignKey(Run, models.PROTECT, related_name="digest_items", db_constraint=False, db_index=False)
    step_run = models.ForeignKey(StepRun, models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    visit = models.PositiveIntegerField()
    subject = models.CharField(max_length=200)
    payload_sha = models.BinaryField(max_length=32, null=True)
    joined_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True)
    left_why = models.CharField(max_length=16, choices=Left, blank=True, default="")
    told_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "digest", "position"], name="digest_item_position"),
            models.UniqueConstraint(fields=["tenant", "step_run"], name="digest_item_once"),
        ]
        indexes = [
            models.Index(fields=["tenant", "run"], name="digest_item_of_run"),
            models.Index(fields=["tenant", "subject"], name="digest_item_of_subject"),
            models.Index(fields=["tenant", "payload_sha"], name="digest_item_payload"),
        ]

    def __str__(self) -> str:
        return f"item {self.position}"
