"""Answers kept under an `Idempotency-Key`, written in the transaction of the request they answer."""

from django.db import models
from django.utils import timezone

from tenants.models.tenant import TenantRow


class IdempotencyRecord(TenantRow):
    """The same key with the same request gets the stored answer; with another request it is a conflict."""

    key = models.CharField(max_length=255)
    request_digest = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField(default=0)
    answer = models.TextField(default="", blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="idempotency_tenant_key")]

    def __str__(self) -> str:
        return f"answer {self.status} of {self.created_at:%F %T}"
