"""Which operators see which tenants."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from tenants.models.tenant import TenantRow


class Membership(TenantRow):
    """An operator account may see this tenant in the admin, and nothing of the tenants it has no membership of."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "user"], name="membership_tenant_user")]

    def __str__(self) -> str:
        return f"{self.user} in {self.tenant}"
