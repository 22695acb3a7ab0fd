"""What can be done to tenants, keys and memberships. One verb per function, one transaction each."""

from tenants.services.api_keys import IssuedKey, create_api_key, revoke_api_key, rotate_api_key
from tenants.services.callers import Caller, Refusal, caller_by_prefix, find_caller
from tenants.services.limits import budgets_of, set_limit
from tenants.services.operators import Act, Operator, memberships_of_user, record_acts, set_role
from tenants.services.tenants import (
    add_membership,
    create_tenant,
    find_tenant,
    remove_membership,
    tenant_exists,
    tenant_list,
    tenants_of_user,
)

__all__ = [
    "Act",
    "Caller",
    "IssuedKey",
    "Operator",
    "Refusal",
    "add_membership",
    "budgets_of",
    "caller_by_prefix",
    "create_api_key",
    "create_tenant",
    "find_caller",
    "find_tenant",
    "memberships_of_user",
    "record_acts",
    "remove_membership",
    "revoke_api_key",
    "rotate_api_key",
    "set_limit",
    "set_role",
    "tenant_exists",
    "tenant_list",
    "tenants_of_user",
]
