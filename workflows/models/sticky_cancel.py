"""Cancels that stick: they end runs that are started only after the cancel was asked for."""

from django.db import models

from chimeway_py.text import utc_minute
from tenants.ids import new_public_id
from tenants.models.tenant import TenantRow
from workflows.states import Cause


class StickyCancel(TenantRow):
    """Until its time is up, a run that starts under this key or correlation value is cancelled as it is created."""

    public_id = models.UUIDField(default=new_public_id, editable=False)
    workflow = models.CharField(max_length=64, blank=True, default="")  # the key of a definition; empty: any
    mark = models.CharField(max_length=300)  # "@key=<idempotency key>", or "<correlation name>=<value>"
    cause = models.CharField(max_length=16, choices=Cause)
    cause_ref = models.CharField(max_length=200, blank=True, default="")
    reason = models.CharField(max_length=64, blank=True, default="")
    until = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "mark", "workflow"], name="sticky_cancel_mark"),
            models.UniqueConstraint(fields=["tenant", "public_id"], name="sticky_cancel_public_id"),
        ]

    def __str__(self) -> str:
        return f"{self.mark} until {utc_minute(self.until)}"
