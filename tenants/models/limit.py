"""Limits that operators set, and how much of each is used."""

from typing import Any

from django.db import models
from django.utils import timezone

from tenants.limits.kinds import LimitKind
from tenants.models.tenant import TenantRow


class Limit(TenantRow):
    """What one tenant may use. An empty amount is "unlimited"; `is_default` follows the settings again.

    Rows are never deleted: processes ask for those that changed.
    """

    kind = models.CharField(max_length=32, choices=LimitKind)
    amount = models.BigIntegerField(null=True)
    is_default = models.BooleanField(default=False)
    changed_at = models.DateTimeField(default=timezone.now)
    changed_by = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "kind"], name="limit_tenant_kind")]
        indexes = [
            models.Index(fields=["changed_at"], name="limit_changed")
        ]  # across tenants: see `limits_changed_since`

    def __str__(self) -> str:
        return f"{self.kind} of {self.tenant}"


class LimitUse(TenantRow):
    """A bucket: what was left of a limit at `filled_at`. Who takes holds its row until the end of their transaction.

    `used_by` says who took how much since `since`, for people; nothing is decided by it.
    """

    kind = models.CharField(max_length=32, choices=LimitKind)
    remaining = models.FloatField()
    filled_at = models.DateTimeField()
    since = models.DateTimeField()
    used_by: "models.JSONField[Any, Any]" = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "kind"], name="limit_use_tenant_kind")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.tenant}"
