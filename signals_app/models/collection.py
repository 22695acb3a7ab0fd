"""How far the collection of payloads has come."""

from django.db import models

from tenants.models.tenant import TenantRow


class Collection(TenantRow):
    """One row per tenant: rounds go through its payloads in order of their ids, a part at a time."""

    cursor = models.BigIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, help_text="When the last whole round ended.")
    collected = models.BigIntegerField(default=0, help_text="Payloads taken away since the beginning.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant"], name="collection_tenant")]

    def __str__(self) -> str:
        return f"{self.collected} collected"
