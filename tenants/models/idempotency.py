"""Answers kept under an `Idempotency-Key`, written in the transaction of the request they answer."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from tenants.models.tenant import TenantRow


class IdempotencyRecord(TenantRow):
    """The same key with the same request gets the stored answer; with another request it is a conflict."""

    key = models.CharField(max_length=255)
    request_digest = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField(default=0)
    sealed = models.BinaryField(null=True, help_text="The answer's body, sealed; null when it was erased.")
    # Digests of those whom request and answer name. Without an index: they are asked for when a subject is erased.
    subjects = ArrayField(models.BinaryField(), default=list)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="idempotency_tenant_key")]

    def __str__(self) -> str:
        return f"answer {self.status} of {self.created_at:%F %T}"
