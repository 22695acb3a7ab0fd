"""The admin of tenants, and what the admin of every tenant's row is made of."""

from tenants.admin import access, accounts, limits, own_password, second_factor, secrets, tenants

__all__ = ["access", "accounts", "limits", "own_password", "second_factor", "secrets", "tenants"]
