"""Tenants' own rows."""

from tenants.models.api_key import ApiKey
from tenants.models.idempotency import IdempotencyRecord
from tenants.models.limit import Limit, LimitUse
from tenants.models.membership import Membership, Role
from tenants.models.operator_action import OperatorAction
from tenants.models.second_factor import RecoveryCode, SecondFactor
from tenants.models.secret import Secret
from tenants.models.tenant import Tenant
from tenants.models.tenant_key import TenantKey

__all__ = [
    "ApiKey",
    "IdempotencyRecord",
    "Limit",
    "LimitUse",
    "Membership",
    "OperatorAction",
    "RecoveryCode",
    "Role",
    "SecondFactor",
    "Secret",
    "Tenant",
    "TenantKey",
]
