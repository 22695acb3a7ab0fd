"""Preferences: what recipients want, what a tenant assumes of those who said nothing, and what nobody may refuse."""

from typing import Any

from django.db import models
from django.utils import timezone

from tenants.ids import new_public_id
from tenants.models.tenant import TenantRow


class Category(TenantRow):
    """What a message is about, as recipients would say it. A required one is sent whatever anybody prefers."""

    key = models.CharField(max_length=64)
    name = models.CharField(max_length=200, blank=True)
    required = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "categories"
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="category_tenant_key")]

    def __str__(self) -> str:
        return self.key


class Preference(TenantRow):
    """One rule: yes or no to what matches. `subject` is a recipient's external id; empty: the tenant's default.

    An empty category, workflow or channel is any. With `when` it counts only if the condition holds.
    """

    public_id = models.UUIDField(default=new_public_id, editable=False)
    subject = models.CharField(max_length=200, blank=True)
    category = models.CharField(max_length=64, blank=True)
    workflow = models.CharField(max_length=64, blank=True)
    channel = models.CharField(max_length=32, blank=True)
    allowed = models.BooleanField()
    when: "models.JSONField[Any, Any]" = models.JSONField(null=True, blank=True)
    said_by = models.CharField(max_length=16, help_text="api, operator, command or unsubscribe: how it came here.")
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "subject", "category", "workflow", "channel"], name="preference_rule"
            ),
            models.UniqueConstraint(fields=["tenant", "public_id"], name="preference_public_id"),
        ]

    def __str__(self) -> str:
        return f"{'yes' if self.allowed else 'no'} to {describe(self.category, self.workflow, self.channel)}"


def describe(category: str, workflow: str, channel: str) -> str:
    """What a rule is about, in its own words: `category news, channel email`, or `everything`."""
    named = {"category": category, "workflow": workflow, "channel": channel}
    return ", ".join(f"{name} {value}" for name, value in named.items() if value) or "everything"
