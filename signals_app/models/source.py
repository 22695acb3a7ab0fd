"""Webhook sources: upstream systems that sign what they post."""

from django.db import models
from django.utils import timezone

from tenants.ids import new_public_id
from tenants.models.tenant import TenantRow


class Scheme(models.TextChoices):
    """How a sender proves itself."""

    STANDARD_WEBHOOKS = "standard_webhooks", "Standard Webhooks"
    GITHUB = "github", "GitHub"
    STRIPE = "stripe", "Stripe"


class SignalSource(TenantRow):
    """A sender, its secrets, and where in its own body the parts of a signal lie.

    `secrets` is a list of {secret, not_after}, each secret sealed: up to three live ones, so that a rotation has no
    gap. `mapping` is checked by `signals_app.mapping`. What was refused is counted here, by part of the signature and
    never by value.
    """

    public_id = models.UUIDField(default=new_public_id, editable=False)
    key = models.CharField(max_length=50)
    name = models.CharField(max_length=100)
    scheme = models.CharField(max_length=32, choices=Scheme)
    secrets = models.JSONField(default=list)
    mapping = models.JSONField(default=dict)
    name_map = models.JSONField(default=dict, blank=True)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    rejected_count = models.PositiveBigIntegerField(default=0)
    last_rejected_at = models.DateTimeField(null=True, blank=True)
    last_rejected_part = models.CharField(max_length=50, blank=True, default="")
    last_rejected_reason = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="source_key"),
            models.UniqueConstraint(fields=["tenant", "public_id"], name="source_public_id"),
        ]

    def __str__(self) -> str:
        return self.key
