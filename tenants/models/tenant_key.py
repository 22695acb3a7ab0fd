"""Keys of tenants, wrapped."""

from django.db import models
from django.utils import timezone

from tenants.models.tenant import TenantRow


class Purpose(models.TextChoices):
    """What a key is for. Digests are compared for ever, so their key never changes; data keys are rotated."""

    DATA = "data"
    DIGEST = "digest"


class TenantKey(TenantRow):
    """A key that only the named master key unwraps. The newest data key seals; older ones open what they sealed."""

    purpose = models.CharField(max_length=8, choices=Purpose)
    number = models.PositiveIntegerField()
    master = models.CharField(max_length=16)
    wrapped = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "purpose", "number"], name="tenant_key_number")]

    def __str__(self) -> str:
        return f"{self.purpose} key {self.number}"
