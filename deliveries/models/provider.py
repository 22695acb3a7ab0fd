"""Providers: a tenant's accounts with whoever carries its messages out."""

import json
from collections.abc import Mapping
from typing import Any

from django.db import models
from django.utils import timezone

from tenants.ids import new_public_id
from tenants.models.tenant import TenantRow
from tenants.vault import vault_of

SEALED = "deliveries_provider.sealed"


class Provider(TenantRow):
    """One account. Of the accounts of a channel, the healthy one that stands first is asked first.

    `next_at` is when the account has caught up with what it was promised (the cell rate algorithm); it moves in one
    statement, so that no two workers are given the same place.
    """

    public_id = models.UUIDField(default=new_public_id, editable=False)
    key = models.CharField(max_length=64)
    channel = models.CharField(max_length=32)
    kind = models.CharField(max_length=32)
    position = models.IntegerField(default=1)
    enabled = models.BooleanField(default=True)
    config: "models.JSONField[Any, Any]" = models.JSONField(default=dict)
    sealed = models.BinaryField()
    credential_names: "models.JSONField[Any, Any]" = models.JSONField(default=list)
    rate_count = models.PositiveIntegerField(null=True)
    rate_seconds = models.PositiveIntegerField(default=1)
    next_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0, help_text="In a row, of the provider and not of a message.")
    unhealthy_until = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=200, blank=True)
    last_failed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="provider_tenant_key"),
            models.UniqueConstraint(fields=["tenant", "public_id"], name="provider_public_id"),
        ]
        indexes = [models.Index(fields=["tenant", "channel", "position"], name="provider_of_channel")]

    def __str__(self) -> str:
        return self.key

    @property
    def credentials(self) -> dict[str, str]:
        """What it was told in confidence. Raises `CannotOpen`."""
        found: dict[str, str] = json.loads(
            vault_of(self.tenant_id).open(SEALED, str(self.public_id), bytes(self.sealed))
        )
        return found

    def seal(self, credentials: Mapping[str, str]) -> None:
        """Let it be told this."""
        text = json.dumps(dict(credentials), sort_keys=True)
        self.sealed = vault_of(self.tenant_id).seal(SEALED, str(self.public_id), text)
        self.credential_names = sorted(credentials)
