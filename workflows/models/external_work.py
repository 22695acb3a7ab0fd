"""External work: what others do for a run, mirrored here under its own id."""

from django.db import models

from tenants.models.tenant import TenantRow
from workflows.models.run import Run
from workflows.models.step_run import StepRun


class ExternalStatus(models.TextChoices):
    """What was last observed. An end is final: nothing observed later changes it."""

    EXPECTED = "expected"  # a step waits for it, and nobody has observed it
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


ENDS = frozenset({ExternalStatus.SUCCEEDED, ExternalStatus.FAILED})


class ExternalWork(TenantRow):
    """One piece of work that is done elsewhere. `run` and `step_run` are None until a step waits for it."""

    kind = models.CharField(max_length=64)
    external_id = models.CharField(max_length=200)
    status = models.CharField(max_length=16, choices=ExternalStatus)
    error = models.CharField(max_length=200, blank=True, default="")
    run = models.ForeignKey(
        Run, models.PROTECT, null=True, related_name="external_work", db_constraint=False, db_index=False
    )
    step_run = models.ForeignKey(
        StepRun, models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False
    )
    answer_sha = models.BinaryField(max_length=32, null=True)  # of an end that was observed before any step waited
    observations = models.PositiveIntegerField(default=0)
    late_observations = models.PositiveIntegerField(default=0)  # that came after the end, and changed nothing
    created_at = models.DateTimeField()
    observed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "external work"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "kind", "external_id"], name="external_work_id"),
        ]
        indexes = [
            models.Index(fields=["tenant", "run"], name="external_work_of_run"),
            models.Index(fields=["tenant", "answer_sha"], name="external_work_answer"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.external_id} ({self.status})"
