"""Suppressions: addresses that are left alone, because mail came back from there or somebody complained."""

from datetime import datetime

from django.db import models
from django.utils import timezone

from tenants.ids import new_public_id
from tenants.models.tenant import TenantRow


class Suppression(TenantRow):
    """One address on one channel. It stays when the message that it came from is pruned, and when its owner is erased.

    The address itself is never stored: the digest is what messages are held against. Lifted, the row stays and says by
    whom; the next bounce or complaint makes it count again.
    """

    public_id = models.UUIDField(default=new_public_id, editable=False)
    channel = models.CharField(max_length=32)
    recipient_digest = models.CharField(max_length=64)
    recipient_masked = models.CharField(max_length=200, blank=True)
    subject = models.CharField(max_length=200, blank=True)  # whom that message was for; empty: nobody knows any more
    bounced_at = models.DateTimeField(null=True, blank=True)
    complained_at = models.DateTimeField(null=True, blank=True)
    delivery = models.UUIDField(null=True, blank=True)  # the message that it came from last, which may be pruned
    provider = models.CharField(max_length=64, blank=True)
    code = models.CharField(max_length=200, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.CharField(max_length=200, blank=True)
    lifted_why = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "recipient_digest", "channel"], name="suppression_address"),
            models.UniqueConstraint(fields=["tenant", "public_id"], name="suppression_public_id"),
        ]
        indexes = [models.Index(fields=["tenant", "subject", "-id"], name="suppression_of_subject")]

    def __str__(self) -> str:
        return f"{self.channel} {self.recipient_masked or self.recipient_digest[:8]}"

    @property
    def word(self) -> str:
        """Bounced or complained. What bounced cannot be reached at all, so it comes first."""
        return "bounced" if self.bounced_at else "complained"

    @property
    def since(self) -> datetime | None:
        """When the address was first left alone for what counts now."""
        return min(filter(None, (self.bounced_at, self.complained_at)), default=None)
