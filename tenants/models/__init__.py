"""Tenants' own rows."""

from tenants.models.api_key import ApiKey
from tenants.models.idempotency import IdempotencyRecord
from tenants.models.membership import Membership
from tenants.models.tenant import Tenant

__all__ = ["ApiKey", "IdempotencyRecord", "Membership", "Tenant"]
