"""Which operators see which tenants, and what they may do there."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from tenants.models.tenant import TenantRow


class Role(models.TextChoices):
    """What an operator may do in one tenant. Each role may do what the one before it may."""

    VIEWER = "viewer"  # look
    OPERATOR = "operator"  # cancel, wake, resend
    ADMIN = "admin"  # change definitions, templates, sources, endpoints, keys and memberships

    def includes(self, other: "Role") -> bool:
        """Whether whoever has this role may do what needs the other."""
        roles = list(Role)
        return roles.index(self) >= roles.index(other)


class Membership(TenantRow):
    """An operator account may see this tenant in the admin, and nothing of the tenants it has no membership of."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    role = models.CharField(max_length=16, choices=Role, default=Role.OPERATOR)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "user"], name="membership_tenant_user")]

    def __str__(self) -> str:
        return f"{self.user} in {self.tenant}"
