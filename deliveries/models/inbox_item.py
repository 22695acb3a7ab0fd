"""The in-app inbox."""

import json
from collections.abc import Mapping
from typing import Any, TypedDict

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.functional import cached_property

from deliveries.querysets import InboxItemQuerySet
from tenants.ids import new_public_id
from tenants.models.tenant import TenantRow
from tenants.vault import vault_of

SEALED = "deliveries_inboxitem.sealed"


class Content(TypedDict):
    """What an item says, to the product that shows it."""

    title: str
    body: str
    data: dict[str, Any]


class InboxItem(TenantRow):
    """One message in a subject's inbox. Each of seen, read and archived happens once and is told to the runs once."""

    public_id = models.UUIDField(default=new_public_id, editable=False)
    delivery = models.ForeignKey(
        "deliveries.Delivery", models.PROTECT, related_name="inbox_items", db_constraint=False, db_index=False
    )
    run_public_id = models.UUIDField()
    step_key = models.CharField(max_length=64)
    subject = models.CharField(max_length=200)
    sealed = models.BinaryField(null=True, help_text="Title, body and data, sealed; null when they were erased.")
    created_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = InboxItemQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "public_id"], name="inbox_item_public_id"),
            models.UniqueConstraint(fields=["tenant", "delivery"], name="inbox_item_delivery"),
        ]
        indexes = [
            models.Index(fields=["tenant", "subject", "-id"], name="inbox_item_newest"),
            # the badge: counted at every page view of the tenant's product
            models.Index(
                fields=["tenant", "subject", "-id"],
                name="inbox_item_unread",
                condition=Q(read_at__isnull=True, archived_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return str(self.public_id)

    @cached_property
    def content(self) -> Content:
        """What the item says; nothing when it was erased. Raises `CannotOpen`."""
        if self.sealed is None:
            return Content(title="", body="", data={})
        text = vault_of(self.tenant_id).open(SEALED, str(self.public_id), bytes(self.sealed))
        content: Content = json.loads(text)
        return content

    def seal(self, content: Any) -> None:
        """Let the item say this. Raises `ValueError` for what no item says: it may have been brought in."""
        if not isinstance(content, Mapping) or set(content) != set(Content.__annotations__):
            raise ValueError("an item has a title, a body and data")
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        self.sealed = vault_of(self.tenant_id).seal(SEALED, str(self.public_id), text)
