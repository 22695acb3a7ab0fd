"""What operators did, and why."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from tenants.models.tenant import TenantRow


class OperatorAction(TenantRow):
    """One thing that an operator asked for on one object. Written once; the app role cannot change it.

    `object_ref` is the object's public id (or key), so that the record outlives the object. `refusal` says why nothing
    moved, and is empty when it did. `changes` tells each field that differs, never a secret (`tenants.audit.facts`).
    `username` is kept because the account may be removed, and `user_id` dangle; it is 0 for the command line.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.DO_NOTHING, related_name="+", db_constraint=False)
    username = models.CharField(max_length=150)
    action = models.CharField(max_length=32)
    object_kind = models.CharField(max_length=32)
    object_ref = models.CharField(max_length=200)
    reason = models.CharField(max_length=200, blank=True, default="")
    moved = models.BooleanField()
    refusal = models.CharField(max_length=200, blank=True, default="")
    address = models.CharField(max_length=45, blank=True, default="")
    via = models.CharField(max_length=8, default="admin")  # or command
    changes: "models.JSONField[Any, Any]" = models.JSONField(default=dict)  # name -> [before, after]
    acted_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        indexes = [models.Index(fields=["tenant", "object_kind", "object_ref", "id"], name="operator_action_object")]

    def __str__(self) -> str:
        return f"{self.username}: {self.action} {self.object_kind} {self.object_ref}"
