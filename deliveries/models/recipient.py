"""Recipients: whom runs are about, as far as the tenant told us."""

import json
from typing import Any, TypedDict

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils import timezone
from django.utils.functional import cached_property

from tenants.ids import new_public_id
from tenants.models.tenant import TenantRow
from tenants.vault import vault_of

SEALED = "deliveries_recipient.sealed"


class Person(TypedDict):
    """What is personal about a recipient."""

    addresses: dict[str, Any]
    attributes: dict[str, Any]


class Recipient(TenantRow):
    """One recipient. `external_id` is the tenant's own name for them: the subject of their runs."""

    public_id = models.UUIDField(default=new_public_id, editable=False)
    external_id = models.CharField(max_length=200)
    zone = models.CharField(max_length=64, blank=True, db_default="")
    locale = models.CharField(max_length=35, blank=True, db_default="")
    sealed = models.BinaryField(null=True, help_text="Addresses by channel and attributes, sealed.")
    # by which they are found when somebody asks for an address; a list of what `recipients.forms` makes of each
    address_digests: "models.JSONField[Any, Any]" = models.JSONField(default=list, db_default=[])
    quiet_hours: "models.JSONField[Any, Any]" = models.JSONField(null=True)  # null: the tenant's
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "external_id"], name="recipient_external_id"),
            models.UniqueConstraint(fields=["tenant", "public_id"], name="recipient_public_id"),
        ]
        indexes = [GinIndex(fields=["address_digests"], name="recipient_addresses", opclasses=["jsonb_path_ops"])]

    def __str__(self) -> str:
        return self.external_id

    @cached_property
    def person(self) -> Person:
        """Addresses and attributes in the clear. Raises `CannotOpen`."""
        if self.sealed is None:
            return Person(addresses={}, attributes={})
        person: Person = json.loads(vault_of(self.tenant_id).open(SEALED, str(self.public_id), bytes(self.sealed)))
        return person

    def seal(self, person: Person) -> None:
        """Let the recipient have these addresses and attributes."""
        text = json.dumps(person, ensure_ascii=False, separators=(",", ":"))
        self.sealed = vault_of(self.tenant_id).seal(SEALED, str(self.public_id), text)
        self.__dict__["person"] = person
