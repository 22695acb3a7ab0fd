"""Definitions: what product teams write, one row per version."""

import pgtrigger
from django.db import models
from django.utils import timezone

from tenants.ids import new_public_id
from tenants.models.tenant import TenantRow
from workflows.querysets import DefinitionQuerySet

# Runs stand on a published version: it may be retired, and nothing else of it changes, whoever asks.
_FROZEN = """
IF TG_OP = 'DELETE' OR NEW.status = 'draft'
   OR (NEW.tenant_id, NEW.key, NEW.version, NEW.checksum, NEW.document)
      IS DISTINCT FROM (OLD.tenant_id, OLD.key, OLD.version, OLD.checksum, OLD.document) THEN
    RAISE EXCEPTION 'a published version of a definition never changes';
END IF;
RETURN NEW;
"""


class DefinitionStatus(models.TextChoices):
    """A draft may change; a published version never does; a retired one starts nothing new."""

    DRAFT = "draft"
    PUBLISHED = "published"
    RETIRED = "retired"


class Definition(TenantRow):
    """One version of a journey."""

    public_id = models.UUIDField(default=new_public_id, editable=False)
    key = models.CharField(max_length=64)
    version = models.PositiveIntegerField()
    status = models.CharField(max_length=16, choices=DefinitionStatus, default=DefinitionStatus.DRAFT)
    document = models.JSONField()
    checksum = models.CharField(max_length=64)
    start_signal = models.CharField(max_length=100, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    published_at = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    objects = DefinitionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key", "version"], name="definition_key_version"),
            models.UniqueConstraint(fields=["tenant", "public_id"], name="definition_public_id"),
            models.UniqueConstraint(
                fields=["tenant", "key"], condition=models.Q(status="draft"), name="definition_one_draft"
            ),
        ]
        indexes = [
            models.Index(  # routing asks which definitions a signal starts
                fields=["tenant", "start_signal"],
                condition=models.Q(status="published"),
                name="definition_start_signal",
            )
        ]
        triggers = [
            pgtrigger.Trigger(
                name="published_is_frozen",
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete,
                condition=pgtrigger.Condition("OLD.status <> 'draft'"),
                func=_FROZEN,
            )
        ]

    def __str__(self) -> str:
        return f"{self.key} v{self.version}"


class Step(TenantRow):
    """One step of a published version, as a row."""

    definition = models.ForeignKey(
        Definition, models.CASCADE, related_name="steps", db_constraint=False, db_index=False
    )
    key = models.CharField(max_length=64)
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=32)
    config = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "definition", "position"], name="step_position"),
            models.UniqueConstraint(fields=["tenant", "definition", "key"], name="step_key"),
        ]

    def __str__(self) -> str:
        return f"{self.position}. {self.key}"
