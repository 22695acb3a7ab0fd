"""Sending rules: when a tenant's messages may go out, and how many."""

from typing import Any

from django.db import models
from django.utils import timezone

from tenants.models.tenant import TenantRow


class SendingRules(TenantRow):
    """One row for a tenant: quiet hours of recipients who have none of their own, and caps."""

    quiet_hours: "models.JSONField[Any, Any]" = models.JSONField(default=list)  # [{from, to, weekdays, channels}]
    caps: "models.JSONField[Any, Any]" = models.JSONField(default=list)  # [{name, channel, category, limit, per, then}]
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "sending rules"
        constraints = [models.UniqueConstraint(fields=["tenant"], name="sending_rules_tenant")]

    def __str__(self) -> str:
        return "sending rules"
