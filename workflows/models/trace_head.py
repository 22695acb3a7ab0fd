"""Heads: what traces had come to at a moment, signed, so that a copy kept elsewhere can be held against them."""

import pgtrigger
from django.db import models

from tenants.ids import new_public_id
from tenants.models.tenant import TenantRow


class TraceHead(TenantRow):
    """One signed head of a tenant. Written once; the database refuses changes.

    `leaves` tells, packed, the last line of each trace that grew since the head before, and of each tombstone that came
    (`workflows.heads.leaves`). `digest` covers them and the digest before. Lines with an id up to `lines_to`, and
    tombstones up to `stones_to`, are told of. `has_more`: not all that there was.
    """

    public_id = models.UUIDField(default=new_public_id, editable=False)
    number = models.PositiveIntegerField()
    previous = models.BinaryField(max_length=32)
    digest = models.BinaryField(max_length=32)
    signature = models.BinaryField(max_length=64)
    key = models.CharField(max_length=16, help_text="Which key signed it.")
    runs = models.PositiveIntegerField(help_text="How many runs it tells of.")
    pruned = models.PositiveIntegerField(help_text="How many tombstones it tells of.")
    leaves = models.BinaryField()
    lines_to = models.BigIntegerField()
    stones_to = models.BigIntegerField()
    has_more = models.BooleanField(default=False)
    signed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "number"], name="trace_head_number"),
            models.UniqueConstraint(fields=["tenant", "public_id"], name="trace_head_public_id"),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"head {self.number}"
