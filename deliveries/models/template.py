"""Stored templates: what a message says, kept apart from the definition that sends it."""

from typing import Any

import pgtrigger
from django.db import models
from django.utils import timezone

from tenants.models.tenant import TenantRow

DEFAULT = "default"
"""The name under which the wording for everybody else is kept, beside those for locales."""

_FROZEN = """
IF TG_OP = 'DELETE' OR NEW.status = 'draft'
   OR (NEW.tenant_id, NEW.template_id, NEW.number, NEW.layout, NEW.wordings, NEW.checksum)
      IS DISTINCT FROM (OLD.tenant_id, OLD.template_id, OLD.number, OLD.layout, OLD.wordings, OLD.checksum) THEN
    RAISE EXCEPTION 'a published version of a template never changes';
END IF;
RETURN NEW;
"""


class TemplateStatus(models.TextChoices):
    """Where a version stands."""

    DRAFT = "draft"
    PUBLISHED = "published"


class Template(TenantRow):
    """The words of one message on one channel, or a layout that such words are put into. What it says is in versions.

    `current` is the version that messages get: the last one that was published.
    """

    key = models.CharField(max_length=100)
    channel = models.CharField(max_length=32)
    is_layout = models.BooleanField(default=False, db_default=False)
    current = models.ForeignKey(
        "deliveries.TemplateVersion", models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)
    retired_at = models.DateTimeField(null=True, blank=True)  # no message gets its words from then on

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key", "channel"], name="template_tenant_key_channel")]

    def __str__(self) -> str:
        return f"{self.key} ({self.channel})"

    @property
    def shown(self) -> "TemplateVersion":
        """The published version, or its draft while nothing was published."""
        return self.current or self.versions.get()


class TemplateVersion(TenantRow):
    """One wording of a template in every locale it has. A published one never changes, whoever asks."""

    template = models.ForeignKey(Template, models.PROTECT, related_name="versions", db_constraint=False, db_index=False)
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=16, choices=TemplateStatus, default=TemplateStatus.DRAFT)
    layout = models.CharField(max_length=100, blank=True, help_text="The key of a layout on the same channel.")
    wordings: "models.JSONField[Any, Any]" = models.JSONField()  # {locale: {subject, text, html}}
    checksum = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)
    published_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "template", "number"], name="template_version_number"),
            models.UniqueConstraint(
                fields=["tenant", "template"], condition=models.Q(status="draft"), name="template_one_draft"
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="published_words_are_frozen",
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete,
                condition=pgtrigger.Condition("OLD.status <> 'draft'"),
                func=_FROZEN,
            )
        ]

    def __str__(self) -> str:
        return f"version {self.number}"

    @property
    def default(self) -> dict[str, str]:
        """The wording for everybody who has none of their own."""
        words: dict[str, str] = self.wordings[DEFAULT]
        return words

    @property
    def locales(self) -> list[str]:
        """The locales with a wording of their own."""
        return sorted(set(self.wordings) - {DEFAULT})
