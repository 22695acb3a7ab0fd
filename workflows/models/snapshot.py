"""Snapshots: what folding a trace came to at one line of it."""

from django.db import models

from tenants.models.tenant import TenantRow
from workflows.models.run import Run


class Snapshot(TenantRow):
    """A cache that saves reading a long trace from its first line. Whoever uses it holds it against the trace."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="snapshots", db_constraint=False, db_index=False)
    seq = models.PositiveIntegerField()
    state = models.JSONField()  # `FoldedState`, by the names of its members
    hash = models.BinaryField(max_length=32)  # of the line at `seq`
    taken_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "run", "seq"], name="snapshot_run_seq")]

    def __str__(self) -> str:
        return f"at {self.seq}"
