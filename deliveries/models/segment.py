"""Segments: recipients by what they are, as a condition that has a name."""

from typing import Any

from django.db import models
from django.utils import timezone

from tenants.models.tenant import TenantRow


class Segment(TenantRow):
    """A stored condition over recipients, such as `{path: recipient.attributes.plan, eq: pro}`."""

    key = models.CharField(max_length=64)
    name = models.CharField(max_length=200, blank=True)
    condition: "models.JSONField[Any, Any]" = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="segment_key")]

    def __str__(self) -> str:
        return self.key
