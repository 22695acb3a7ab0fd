"""Transitions: the trace of a run."""

import pgtrigger
from django.db import models

from tenants.models.tenant import TenantRow
from workflows.models.run import Run
from workflows.querysets import TransitionQuerySet
from workflows.states import Cause, RunState, reasons


class Transition(TenantRow):
    """One line of a run's trace. Written once; the database refuses changes, also under `session_replication_role`."""

    run = models.ForeignKey(Run, models.PROTECT, related_name="transitions", db_constraint=False, db_index=False)
    seq = models.PositiveIntegerField()
    step = models.CharField(max_length=64, blank=True, default="")
    visit = models.PositiveIntegerField(default=0)
    delivery = models.UUIDField(null=True)
    cause = models.CharField(max_length=16, choices=Cause)
    cause_ref = models.CharField(max_length=200, blank=True, default="")
    from_state = models.CharField(max_length=16, choices=RunState, blank=True, default="")
    to_state = models.CharField(max_length=16, choices=RunState)
    reason = models.CharField(max_length=32, choices=reasons)
    context = models.JSONField(default=dict)
    prev_hash = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)
    occurred_at = models.DateTimeField()

    objects = TransitionQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "run", "seq"], name="transition_run_seq")]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.seq}. {self.from_state or 'new'} → {self.to_state}"
