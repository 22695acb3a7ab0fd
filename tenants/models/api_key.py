"""API keys: what an upstream system or a support desk speaks with."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from tenants.ids import new_public_id
from tenants.models.tenant import TenantRow


class Scope(models.TextChoices):
    """What a key may do. A write scope does not imply the read scope."""

    DEFINITIONS_READ = "definitions:read"
    DEFINITIONS_WRITE = "definitions:write"
    RUNS_READ = "runs:read"
    RUNS_WRITE = "runs:write"
    SIGNALS_READ = "signals:read"
    SIGNALS_WRITE = "signals:write"
    SOURCES_READ = "sources:read"
    SOURCES_WRITE = "sources:write"
    INBOX_READ = "inbox:read"
    INBOX_WRITE = "inbox:write"
    DELIVERIES_READ = "deliveries:read"
    DELIVERIES_WRITE = "deliveries:write"
    RECIPIENTS_READ = "recipients:read"
    RECIPIENTS_WRITE = "recipients:write"
    SUBJECTS_READ = "subjects:read"
    SUBJECTS_WRITE = "subjects:write"
    RETENTION_READ = "retention:read"
    RETENTION_WRITE = "retention:write"
    AUDIT_READ = "audit:read"


class ApiKey(TenantRow):
    """A key is `cw_<prefix>_<secret>`: the prefix finds the row, the SHA-256 of the 256-bit secret proves it."""

    public_id = models.UUIDField(default=new_public_id, editable=False)
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16, unique=True)
    secret_digest = models.BinaryField(max_length=32)
    scopes = ArrayField(models.CharField(max_length=32, choices=Scope))
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    replaced_by = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, db_constraint=False, db_index=False, related_name="+"
    )

    class Meta:
        verbose_name = "API key"
        constraints = [models.UniqueConstraint(fields=["tenant", "public_id"], name="api_key_public_id")]

    def __str__(self) -> str:
        return f"{self.name} (cw_{self.prefix}_…)"
