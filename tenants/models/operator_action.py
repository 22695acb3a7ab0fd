"""What operators did, and why."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from tenants.models.tenant import TenantRow


class OperatorAction(TenantRow):
    """One thing that an operator asked for on one object. Written once; the app role cannot change it.

    `object_ref` is the object's public id (or key), so that the record outlives the object. `refusal` says why nothing
    moved, and is empty when it did. `username` is kept because the account may be removed, and `user_id` dangle.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.DO_NOTHING, related_name="+", db_constraint=False)
    username = models.CharField(max_length=150)
    action = models.CharField(max_length=32)
    object_kind = models.CharField(max_length=32)
    object_ref = models.CharField(max_length=200)
    reason = models.CharField(max_length=200, blank=True, default="")
    moved = models.BooleanField()
    refusal = models.CharField(max_length=200, blank=True, default="")
    acted_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        indexes = [models.Index(fields=["tenant", "object_kind", "object_ref", "id"], name="operator_action_object")]

    def __str__(self) -> str:
        return f"{self.username}: {self.action} {self.object_kind} {self.object_ref}"
