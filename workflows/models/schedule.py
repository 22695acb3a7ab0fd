"""Schedules: runs that start by the calendar, again and again."""

from django.db import models
from django.utils import timezone

from tenants.ids import new_public_id
from tenants.models.tenant import TenantRow


class MissedPolicy(models.TextChoices):
    """What is made up for when nothing could start in time."""

    SKIP = "skip"  # nothing: only what is a few minutes late at most
    LATEST = "latest"  # the latest occurrence
    ALL = "all"  # each of them, up to a number


class Schedule(TenantRow):
    """A cron expression in a time zone, and the runs that each occurrence starts.

    `next_at` is the occurrence that comes next, NULL while the schedule is off. Of an occurrence that could start
    nothing the schedule says when and why; the code of the refusal, never a value.
    """

    public_id = models.UUIDField(default=new_public_id, editable=False)
    key = models.CharField(max_length=64)
    definition_key = models.CharField(max_length=64)
    version = models.PositiveIntegerField(null=True)  # NULL: whichever is the latest when an occurrence comes
    expression = models.CharField(max_length=100)
    zone = models.CharField(max_length=64)
    subjects = models.JSONField()  # one run each, in every occurrence
    correlation = models.JSONField(default=dict)
    data_sha = models.BinaryField(max_length=32, null=True)
    missed = models.CharField(max_length=8, choices=MissedPolicy, default=MissedPolicy.LATEST)
    most_missed = models.PositiveSmallIntegerField(default=10)  # of the policy `all`
    enabled = models.BooleanField(default=True)
    next_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)  # the latest occurrence that started its runs
    skipped_at = models.DateTimeField(null=True)  # the latest occurrence that was left out by the policy
    refused_at = models.DateTimeField(null=True)  # the latest occurrence whose runs could not start
    refusal = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="schedule_key"),
            models.UniqueConstraint(fields=["tenant", "public_id"], name="schedule_public_id"),
            models.CheckConstraint(
                condition=models.Q(enabled=True, next_at__isnull=False) | models.Q(enabled=False, next_at__isnull=True),
                name="schedule_off_is_never_due",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "next_at"], condition=models.Q(next_at__isnull=False), name="schedule_due"),
            models.Index(  # whether anything names a payload: asked before it is collected
                fields=["tenant", "data_sha"], condition=models.Q(data_sha__isnull=False), name="schedule_data"
            ),
        ]

    def __str__(self) -> str:
        return self.key
