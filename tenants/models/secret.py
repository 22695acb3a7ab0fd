"""Secrets: what a tenant's steps show to others, named by definitions and never written into them."""

from typing import Any

from django.db import models
from django.utils import timezone

from tenants.ids import new_public_id
from tenants.models.tenant import TenantRow


class Secret(TenantRow):
    """A named secret. Its values are sealed under the tenant's key, newest first; an older one lives on for a while."""

    public_id = models.UUIDField(default=new_public_id, editable=False)
    key = models.CharField(max_length=64)
    entries: "models.JSONField[Any, Any]" = models.JSONField(default=list)  # [{sealed, created_at, not_after}]
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="secret_tenant_key"),
            models.UniqueConstraint(fields=["tenant", "public_id"], name="secret_public_id"),
        ]

    def __str__(self) -> str:
        return self.key
