"""Runs: one journey of one subject."""

from django.db import models
from django.utils import timezone

from chimeway_py.text import LONGEST_REASON
from tenants.ids import new_public_id
from tenants.models.tenant import TenantPart
from workflows.models.definition import Definition
from workflows.querysets import RunQuerySet
from workflows.states import TERMINAL, Cause, RunState, reasons


class Run(TenantPart):
    """A run is written by `workflows.store` alone, together with the transition that tells of the change."""

    public_id = models.UUIDField(default=new_public_id, editable=False)
    definition = models.ForeignKey(Definition, models.PROTECT, related_name="runs", db_constraint=False, db_index=False)
    definition_key = models.CharField(max_length=64)
    subject = models.CharField(max_length=200)
    correlation = models.JSONField(default=dict)
    data_sha = models.BinaryField(max_length=32, null=True)
    state = models.CharField(max_length=16, choices=RunState)
    step = models.CharField(max_length=64, blank=True, default="")
    visits = models.JSONField(default=dict)  # step key -> how often it was entered
    status_reason = models.CharField(max_length=32, choices=reasons)
    status_context = models.JSONField(default=dict)
    terminal_reason = models.CharField(max_length=LONGEST_REASON, blank=True, default="")
    revision = models.PositiveIntegerField(default=0)
    seq = models.PositiveIntegerField(default=0)
    chain_head = models.BinaryField(max_length=32)
    pending_signals = models.PositiveIntegerField(default=0)  # buffered for this run and not yet used
    started_by = models.CharField(max_length=16, choices=Cause)
    started_by_ref = models.CharField(max_length=200, blank=True, default="")
    idempotency_key = models.CharField(max_length=255, null=True)  # noqa: DJ001 (NULL is "none given" for the unique key)
    request_digest = models.BinaryField(max_length=32, null=True)
    replayed_from = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="replays", db_constraint=False, db_index=False
    )
    began_at = (
        models.DateTimeField()
    )  # where "since the run's start" looks back to: the start call, or the start signal
    step_entered_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)  # the run's next clock: first advance, the wait's timer or the deadline
    deadline_at = models.DateTimeField(null=True)
    suspended_until = models.DateTimeField(null=True)
    engine_failures = models.PositiveSmallIntegerField(default=0)
    # of an imported run: [[number of a tenant, seq], …]: the lines up to this seq were hashed under that tenant
    origins = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "public_id"], name="run_public_id"),
            models.UniqueConstraint(
                fields=["tenant", "definition_key", "idempotency_key"],
                condition=models.Q(idempotency_key__isnull=False),
                name="run_idempotency_key",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["pending", "active", "waiting", "paused"])
                | models.Q(pending_signals=0, due_at__isnull=True),
                name="run_finished_is_at_rest",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "due_at"], condition=models.Q(due_at__isnull=False), name="run_due"),
            models.Index(fields=["tenant", "state", "id"], name="run_state"),
            models.Index(fields=["tenant", "subject", "id"], name="run_subject"),
            models.Index(  # the replays of a run
                fields=["tenant", "replayed_from"],
                condition=models.Q(replayed_from__isnull=False),
                name="run_replayed_from",
            ),
            models.Index(  # whether anything names a payload: asked before it is collected
                fields=["tenant", "data_sha"], condition=models.Q(data_sha__isnull=False), name="run_data"
            ),
            # what failed lately, and what has been over for long enough to be pruned
            models.Index(
                fields=["tenant", "state", "finished_at"],
                condition=models.Q(finished_at__isnull=False),
                name="run_finished",
            ),
            models.Index(  # almost no run is in it
                fields=["tenant"], condition=models.Q(engine_failures__gt=0), name="run_engine_fails"
            ),
            models.Index(fields=["tenant", "id"], condition=models.Q(seq__gte=200), name="run_long"),  # for snapshots
            models.Index(  # the runs of a broadcast; no other run is in it
                fields=["tenant", "started_by_ref", "id"],
                condition=models.Q(started_by=Cause.TRIGGER),
                name="run_broadcast",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.definition_key} {self.public_id}"

    @property
    def is_finished(self) -> bool:
        """Whether the run has ended, one way or another."""
        return self.state in TERMINAL
