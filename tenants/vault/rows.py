"""The keys of a tenant as rows: wrapped in the database, unwrapped in memory."""

from dataclasses import dataclass, field

from django.db import connection

from tenants.models.tenant_key import Purpose
from tenants.vault.master import unwrap, wrap
from tenants.vault.sealing import new_key

__all__ = ["Key", "Purpose", "add_key", "label", "make_keys", "read_keys"]

# Settled: written by a transaction that ended before this one began. A key that this very transaction made may yet be
# rolled back; kept in memory, it would seal values that nobody can open.
_READ = """
SELECT purpose, number, master, wrapped, created_at < now() FROM tenants_tenantkey
 WHERE tenant_id = %s ORDER BY purpose, number
"""
_ADD = """
INSERT INTO tenants_tenantkey (tenant_id, purpose, number, master, wrapped, created_at)
VALUES (%s, %s, %s, %s, %s, clock_timestamp()) ON CONFLICT (tenant_id, purpose, number) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a tenant, unwrapped."""

    purpose: Purpose
    number: int
    secret: bytes = field(repr=False)
    is_settled: bool


def read_keys(tenant_id: int) -> list[Key]:
    """All keys of a tenant; none when nobody made them yet. Needs the tenant's scope. Raises `CannotOpen`."""
    with connection.cursor() as cursor:
        cursor.execute(_READ, [tenant_id])
        found = cursor.fetchall()
    return [_key(tenant_id, *row) for row in found]


def make_keys(tenant_id: int) -> list[Key]:
    """The first keys of a tenant. Of two who make them at once, the second gets those of the first."""
    for purpose in Purpose:
        add_key(tenant_id, purpose, 1)
    return read_keys(tenant_id)


def add_key(tenant_id: int, purpose: Purpose, number: int) -> bool:
    """Make one key; False when somebody else just made the one of this number. Needs the tenant's scope."""
    master, wrapped = wrap(label(tenant_id, purpose, number), new_key())
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [tenant_id, str(purpose), number, master, wrapped])
        return bool(cursor.rowcount)


def label(tenant_id: int, purpose: str, number: int) -> bytes:
    """What a wrapped key is bound to: it is of no use in another tenant's row."""
    return f"tenant key\0{tenant_id}\0{purpose}\0{number}".encode()


def _key(tenant_id: int, purpose: str, number: int, master: str, wrapped: bytes, is_settled: bool) -> Key:
    secret = unwrap(label(tenant_id, purpose, number), master, bytes(wrapped))
    return Key(Purpose(purpose), number, secret, is_settled)
