"""Releases: rules that were changed, and for which messages that are held have yet to be judged anew."""

from django.db import models

from tenants.models.tenant import TenantRow


class Release(TenantRow):
    """Written with the change, worked off in pieces from where `after_…` says, and deleted when nothing is left.

    For one subject, for whatever one provider's rate holds, or, with neither, for all that rules of the tenant hold.
    """

    changed = models.CharField(max_length=32)  # which rule
    subject = models.CharField(max_length=200, blank=True, default="")
    provider = models.CharField(max_length=64, blank=True, default="")
    after_subject = models.CharField(max_length=200, blank=True, default="")
    after_id = models.BigIntegerField(default=0)
    asked_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.changed} changed"
