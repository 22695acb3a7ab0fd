"""Tombstones: what stays of a run that was pruned."""

import pgtrigger
from django.db import models

from tenants.models.tenant import TenantRow
from workflows.states import RunState


class Tombstone(TenantRow):
    """Proves that a run was, and ended, and who took it away. Written by the database itself (`bury_runs`), once.

    `length` and `last_hash` are those of its trace: an archived export proves itself against them. The idempotency key
    stays, because a start under it must never make a second run. `transaction_id` lets the trigger of the trace know
    the transaction that may delete its lines.
    """

    run_id = models.BigIntegerField()
    run_public_id = models.UUIDField()
    definition_key = models.CharField(max_length=64)
    version = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=RunState)
    length = models.PositiveIntegerField()
    last_hash = models.BinaryField(max_length=32)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    replayed_from = models.UUIDField(null=True, help_text="The public id of the run that it was a replay of.")
    idempotency_key = models.CharField(max_length=255, null=True)  # noqa: DJ001  as the run's own
    request_digest = models.BinaryField(max_length=32, null=True)
    pruned_by = models.CharField(max_length=150)
    reason = models.CharField(max_length=200)
    archive = models.CharField(max_length=200, blank=True, default="")
    pruned_at = models.DateTimeField()
    transaction_id = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "run_id"], name="tombstone_run")]
        indexes = [
            models.Index(fields=["tenant", "run_public_id"], name="tombstone_public_id"),
            models.Index(  # the replays of a run
                fields=["tenant", "replayed_from"],
                condition=models.Q(replayed_from__isnull=False),
                name="tombstone_replays",
            ),
            models.Index(
                fields=["tenant", "definition_key", "idempotency_key"],
                condition=models.Q(idempotency_key__isnull=False),
                name="tombstone_key",
            ),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return str(self.run_public_id)
