"""Endpoints: where webhooks go."""

from datetime import datetime
from typing import Any

from django.db import models
from django.utils import timezone

from tenants.ids import new_public_id
from tenants.models.tenant import TenantRow
from tenants.signing_secrets import live_secrets
from tenants.vault import vault_of
from workflows.models import DisabledReason

SECRETS = "deliveries_endpoint.secrets"


class Endpoint(TenantRow):
    """A receiver's address and the secrets we sign with. Every live secret signs, so a receiver can rotate calmly."""

    public_id = models.UUIDField(default=new_public_id, editable=False)
    key = models.CharField(max_length=100)
    url = models.URLField(max_length=2000)
    secrets: "models.JSONField[Any, Any]" = models.JSONField(
        default=list
    )  # newest first: [{secret, created_at, not_after}], each secret sealed
    enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=100, choices=DisabledReason, blank=True)
    disabled_at = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)  # the first of the tries that have all failed since
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="endpoint_tenant_key"),
            models.UniqueConstraint(fields=["tenant", "public_id"], name="endpoint_public_id"),
        ]

    def __str__(self) -> str:
        return self.key

    def live_secrets(self, now: datetime) -> list[str]:
        """The secrets that sign at `now`, newest first."""
        return live_secrets(vault_of(self.tenant_id), SECRETS, str(self.public_id), self.secrets, now)
