"""Waits, and the listeners that let a signal find its runs by index."""

from django.db import models

from tenants.models.tenant import TenantPart
from workflows.models.run import Run


class WaitOutcome(models.TextChoices):
    """How a wait ended. Empty while it is open; an ended wait is never armed again."""

    SIGNAL = "signal"
    TIMEOUT = "timeout"
    OUTCOME = "outcome"  # a later outcome of an earlier step took the run elsewhere
    WOKEN = "woken"
    APPROVED = "approved"
    REJECTED = "rejected"
    VERSION_CHANGED = "version_changed"  # its run was moved to another version, which opened its own
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Wait(TenantPart):
    """A run parked at a step: what it listens for, and until when."""

    run = models.ForeignKey(Run, models.PROTECT, related_name="waits", db_constraint=False, db_index=False)
    step = models.CharField(max_length=64)
    visit = models.PositiveIntegerField()
    signals = models.JSONField(default=list)  # [{name, match: {attribute: value}, when?, then}]
    look_back_from = models.DateTimeField(null=True)  # NULL: this wait does not look back
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    on_timeout = models.JSONField(default=str)
    routes = models.JSONField(default=dict, db_default={})  # of an approval: {approve: target, reject: target}
    actors = models.JSONField(default=list, db_default=[])  # of an approval: who may decide; empty: anybody
    remind_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=200, blank=True, default="", db_default="")
    decision_sha = models.BinaryField(max_length=32, null=True)  # the comment and metadata, in their own payload
    outcome = models.CharField(max_length=16, choices=WaitOutcome, blank=True, default="")
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "run", "step", "visit"], name="wait_visit"),
            models.UniqueConstraint(
                fields=["tenant", "run"], condition=models.Q(closed_at__isnull=True), name="wait_one_open"
            ),
        ]
        indexes = [
            models.Index(  # whether anything names a payload: asked before it is collected
                fields=["tenant", "decision_sha"],
                condition=models.Q(decision_sha__isnull=False),
                name="wait_decision",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.step} ({self.outcome or 'open'})"


class Listener(TenantPart):
    """A signal that may matter to a run at some step, by its first match value.

    Written when the run is created and kept while it lives, so that a signal finds the run whether or not the wait
    for it is
    already open: a signal and an opening wait then meet under the run's row lock, and none can slip between them.
    """

    run = models.ForeignKey(Run, models.CASCADE, related_name="listeners", db_constraint=False, db_index=False)
    name = models.CharField(max_length=100)
    key = models.CharField(max_length=300)  # "<attribute>=<value>", or "@subject=<subject>"
    rest = models.JSONField(default=dict)  # the other match values
    live = models.BooleanField(default=True)  # not indexed, so that ending a run updates in place

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "name", "key", "run"], name="listener_key"),
            models.Index(fields=["tenant", "run"], name="listener_run"),
        ]

    def __str__(self) -> str:
        return self.name
