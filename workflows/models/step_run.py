"""Step runs and attempts: work owed to the outside world, and each try at it."""

from django.db import models

from tenants.models.tenant import TenantPart
from workflows.models.run import Run
from workflows.querysets import StepRunQuerySet


class StepRunStatus(models.TextChoices):
    """A step run is owed until a worker claims it, running while a lease holds, then ended."""

    OWED = "owed"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"  # it may have happened, and the step asked not to risk it twice
    CANCELLED = "cancelled"


class StepRun(TenantPart):
    """One visit of a step whose work happens outside a transaction. `due_at` is the next claim or the lease's end."""

    run = models.ForeignKey(Run, models.PROTECT, related_name="step_runs", db_constraint=False, db_index=False)
    step = models.CharField(max_length=64)
    visit = models.PositiveIntegerField()
    resend = models.PositiveIntegerField(default=0)  # 0: the journey's own; n: the n-th resend by an operator
    undo = models.PositiveIntegerField(db_default=0)  # 0: a visit of the step; n: the n-th compensation of the run
    kind = models.CharField(max_length=32)
    key = models.CharField(max_length=200)  # the idempotency key that providers get, the same for every attempt
    status = models.CharField(max_length=16, choices=StepRunStatus, default=StepRunStatus.OWED)
    outcome = models.CharField(max_length=32, blank=True, default="")
    attempts_made = models.PositiveIntegerField(default=0)
    lost_attempts = models.PositiveIntegerField(default=0)  # whose worker died or fell silent
    maybe_done = models.BooleanField(db_default=False)  # some try may have taken effect, whatever came of it
    fence = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(null=True)
    held = models.BooleanField(db_default=False)  # its run is paused or has ended: nobody may claim it
    at_most_once = models.BooleanField(db_default=False)  # never tried again after a try whose end nobody saw
    withheld_from = models.CharField(max_length=200, null=True)  # noqa: DJ001  whose history tells of it; NULL: nobody's
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    objects = StepRunQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "run", "step", "visit", "resend", "undo"], name="step_run_visit"),
            models.UniqueConstraint(fields=["tenant", "key"], name="step_run_key"),
        ]
        indexes = [
            models.Index(
                fields=["tenant", "due_at"], condition=models.Q(due_at__isnull=False, held=False), name="step_run_due"
            ),
            models.Index(  # in flight although the run is paused or has ended: almost no row is in it
                fields=["tenant", "due_at"], condition=models.Q(status="running", held=True), name="step_run_held"
            ),
            models.Index(fields=["tenant", "id"], condition=models.Q(status="unknown"), name="step_run_unknown"),
            models.Index(  # compensations that are owed, under way, or failed
                fields=["tenant", "run"],
                condition=models.Q(undo__gt=0, status__in=["owed", "running", "failed", "unknown"]),
                name="step_run_undoing",
            ),
            models.Index(  # visits that left somebody without a message, or let them wait; no other is in it
                fields=["tenant", "withheld_from", "-id"],
                condition=models.Q(withheld_from__isnull=False),
                name="step_run_withheld",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.step} #{self.visit} ({self.status})"


class AttemptStatus(models.TextChoices):
    """A try is running until its worker finishes it, or until its lease runs out and another worker takes over."""

    RUNNING = "running"
    FINISHED = "finished"
    LOST = "lost"


class Attempt(TenantPart):
    """One try at a step run: numbers 1..n without gaps. A finished attempt never changes."""

    step_run = models.ForeignKey(StepRun, models.PROTECT, related_name="attempts", db_constraint=False, db_index=False)
    number = models.PositiveIntegerField()
    fence = models.PositiveIntegerField()
    worker = models.CharField(max_length=100)
    status = models.CharField(max_length=16, choices=AttemptStatus, default=AttemptStatus.RUNNING)
    outcome = models.CharField(max_length=32, blank=True, default="")
    error = models.CharField(max_length=200, blank=True, default="")
    retryable = models.BooleanField(default=False)
    lease_until = models.DateTimeField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    retry_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "step_run", "number"], name="attempt_number")]

    def __str__(self) -> str:
        return f"attempt {self.number} ({self.outcome or self.status})"
