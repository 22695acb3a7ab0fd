"""Payloads: what a signal carries or a run starts with, stored once, sealed."""

from django.db import models
from django.utils import timezone

from tenants.models.tenant import TenantRow


class Payload(TenantRow):
    """One body. Its address is a digest of its canonical JSON under the tenant's own key, so that nobody who reads the
    table finds a short body by trying. Written before the row that names it; collected when no row does.
    """

    address = models.BinaryField(max_length=32)
    sealed = models.BinaryField(help_text="The canonical JSON, sealed by the tenant's vault.")
    size = models.PositiveIntegerField(help_text="Bytes of the JSON in UTF-8.")
    stored_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "address"], name="payload_tenant_address")]

    def __str__(self) -> str:
        return f"{bytes(self.address).hex()[:12]}… ({self.size} bytes)"
