"""Start-up checks: the service refuses to run as a database role that could walk past row-level security.

`manage.py check --database default` tells of it, and every process looks at its first connection.
"""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from tenants.vault.master import known_masters

_ROLE = """
SELECT current_user,
       EXISTS (SELECT 1 FROM pg_roles m WHERE (m.rolsuper OR m.rolbypassrls) AND pg_has_role(r.oid, m.oid, 'MEMBER')),
       EXISTS (SELECT 1 FROM pg_class c
                WHERE c.relnamespace = 'public'::regnamespace AND pg_has_role(r.oid, c.relowner, 'MEMBER')),
       (SELECT string_agg(c.relname, ', ') FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
         WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND a.attname = 'tenant_id'
           AND NOT a.attisdropped AND NOT (c.relrowsecurity AND c.relforcerowsecurity)),
       (SELECT string_agg(p.oid::regprocedure::text, ', ') FROM pg_proc p
         WHERE p.prosecdef AND p.proowner = (SELECT relowner FROM pg_class WHERE oid = to_regclass('tenants_tenant'))
           AND NOT EXISTS (SELECT 1 FROM unnest(p.proconfig) AS u (said) WHERE u.said LIKE 'search_path=%, pg_temp'))
FROM pg_roles r WHERE r.rolname = current_user
"""


@register(Tags.database)
def check_app_role(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """The app role must own nothing, bypass nothing, and be able to fool no function of the owner.

    Every table of tenants must force row-level security.
    """
    if not databases or "default" not in databases:
        return []
    return role_faults()


@register(Tags.database)
def check_master_keys(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Every master key that wrapped a key must be among PAYLOAD_KEYS, or what it guards cannot be read."""
    if not databases or "default" not in databases:
        return []
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT * FROM master_keys_in_use()")
        used = {name for (name,) in cursor.fetchall()}
        cursor.execute("SELECT DISTINCT master FROM tenants_secondfactor")
        lacking = used | {name for (name,) in cursor.fetchall()}
        lacking -= set(known_masters())
    return [
        Error(f"PAYLOAD_KEYS lacks the master key {name}.", hint="Add it after the first.", id="tenants.E004")
        for name in sorted(lacking)
    ]


def role_faults() -> list[CheckMessage]:
    """What is wrong with the role that `default` connects as; empty when it is safe to serve."""
    with connections["default"].cursor() as cursor:
        cursor.execute(_ROLE)
        role, bypasses, owns, unprotected, fooled = cursor.fetchone()
    faults: list[CheckMessage] = []
    if bypasses:
        faults.append(
            Error(
                f"Role {role} bypasses row-level security.",
                hint="ALTER ROLE … NOSUPERUSER NOBYPASSRLS",
                id="tenants.E001",
            )
        )
    if owns:
        faults.append(
            Error(
                f"Role {role} owns tables, or is a member of their owner.",
                hint="Run migrations as the owner role: DATABASE_OWNER_URL",
                id="tenants.E002",
            )
        )
    if unprotected:
        faults.append(
            Error(
                f"Tables without forced row-level security: {unprotected}.",
                hint="See tenants.rls.isolate",
                id="tenants.E003",
            )
        )
    if fooled:
        faults.append(
            Error(
                f"Functions of the owner that may be fooled by temporary tables: {fooled}.",
                hint="Run the migrations, or ALTER FUNCTION … SET search_path = pg_catalog, public, pg_temp",
                id="tenants.E005",
            )
        )
    return faults


_is_proven = False


def prove_role(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Look once per process, at its first connection. Raises `ImproperlyConfigured` and leaves it closed."""
    global _is_proven
    if _is_proven or connection.alias != "default":
        return
    faults = role_faults()
    if faults:
        connection.close()
        raise ImproperlyConfigured(" ".join(f"{fault.msg} {fault.hint}." for fault in faults))
    _is_proven = True
