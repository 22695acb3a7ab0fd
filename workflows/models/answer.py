"""Answers: what steps brought back, part of a run's data from then on."""

from django.db import models

from tenants.models.tenant import TenantRow
from workflows.models.run import Run


class Answer(TenantRow):
    """What `data.<name>` of a run is, by the address of its payload. A step that answers again replaces it."""

    run = models.ForeignKey(Run, models.PROTECT, related_name="answers", db_constraint=False, db_index=False)
    name = models.CharField(max_length=80)
    step = models.CharField(max_length=64)
    visit = models.PositiveIntegerField()
    payload_sha = models.BinaryField(max_length=32, null=True)  # None: the run was brought in without its payloads
    answered_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "run", "name"], name="answer_run_name")]
        indexes = [models.Index(fields=["tenant", "payload_sha"], name="answer_payload")]  # is a payload still named?

    def __str__(self) -> str:
        return f"data.{self.name} of {self.step}"
