"""The record of erasures."""

from django.db import models

from tenants.ids import new_public_id
from tenants.models.tenant import TenantRow


class SubjectErasure(TenantRow):
    """Who had a subject erased, when, and how much that was. Written once; it does not say who the subject was."""

    public_id = models.UUIDField(default=new_public_id, editable=False)
    digest = models.BinaryField(max_length=32)
    cause = models.CharField(max_length=16)
    cause_ref = models.CharField(max_length=200, blank=True, default="")
    reason = models.CharField(max_length=200, blank=True, default="")
    counts = models.JSONField(default=dict)
    erased_at = models.DateTimeField()

    class Meta:
        verbose_name = "erased subject"
        constraints = [models.UniqueConstraint(fields=["tenant", "public_id"], name="erasure_public_id")]
        indexes = [models.Index(fields=["tenant", "digest"], name="erasure_of_subject")]

    def __str__(self) -> str:
        return f"erased {bytes(self.digest).hex()[:12]}…"
