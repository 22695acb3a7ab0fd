"""A tenant: the owner of rows."""

from django.db import models
from django.utils import timezone

from tenants.ids import new_public_id


class Tenant(models.Model):
    """One customer of the service. Nothing of one tenant is visible to another."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=200)
    time_zone = models.CharField(max_length=64, default="UTC")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    suspended_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.slug


class TenantRow(models.Model):
    """Base of every row that belongs to a tenant. The database key is (tenant_id, id); see `tenants.rls`."""

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="+", db_index=False)

    class Meta:
        abstract = True


class TenantPart(TenantRow):
    """Base of rows that hang on another tenant row by a composite key, which proves the tenant already.

    They are written by the million: a second check of the same fact would cost as much as the row.
    """

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="+", db_index=False, db_constraint=False)

    class Meta:
        abstract = True
