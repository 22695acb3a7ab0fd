"""Stored templates: what a message says, kept apart from the definition that sends it."""

from django.db import models
from django.utils import timezone

from tenants.models.tenant import TenantRow


class Template(TenantRow):
    """The wording of one message on one channel, in Liquid. `checksum` is the SHA-256 of its three parts."""

    key = models.CharField(max_length=100)
    channel = models.CharField(max_length=32)
    subject = models.TextField(blank=True, help_text="Subject of a mail, title of an inbox item.")
    text = models.TextField(blank=True)
    html = models.TextField(blank=True)
    checksum = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key", "channel"], name="template_tenant_key_channel")]

    def __str__(self) -> str:
        return f"{self.key} ({self.channel})"
