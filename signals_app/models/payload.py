"""Payloads: what a signal carries, stored once under its digest."""

from django.db import models

from tenants.models.tenant import TenantRow


class Payload(TenantRow):
    """One body, addressed by the SHA-256 of its canonical JSON. Written before the row that names it."""

    sha256 = models.BinaryField(max_length=32)
    body = models.TextField()
    size = models.PositiveIntegerField(help_text="Bytes of the body in UTF-8.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "sha256"], name="payload_tenant_sha256")]

    def __str__(self) -> str:
        return f"{bytes(self.sha256).hex()[:12]}… ({self.size} bytes)"
