"""Rotating keys. Every function does a bounded part of the work and may be called again at any time.

A new master key goes first in PAYLOAD_KEYS; when `rewrap_keys` has been through all tenants, the old one may leave.
A new data key seals from now on; `reseal_values` goes through all columns and then forgets the old one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection

from tenants.models.tenant_key import Purpose, TenantKey
from tenants.scope import tenant_scope
from tenants.vault.columns import Part, SealedBytes, sealed_columns
from tenants.vault.master import first_master, unwrap, wrap
from tenants.vault.rows import add_key, label
from tenants.vault.vault import forget_vaults

# Another process seals under the key it knows for a minute (see `vault.KEPT_SECONDS`), and commits some time later.
RETIRE_AFTER = timedelta(hours=1)
Told = Callable[[SealedBytes, Part], None]


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many values were sealed anew, and how many data keys were forgotten."""

    values: int
    keys_retired: int


def tenants_to_rewrap(*, after: int = 0, most: int = 100) -> list[int]:
    """Ids of tenants with a key that is not wrapped by the first master key, in order, after an id."""
    return _ids("SELECT * FROM tenants_wrapped_otherwise(%s, %s, %s)", first_master(), after, most)


def all_tenants(*, after: int = 0, most: int = 100) -> list[int]:
    """Ids of tenants, in order, after an id."""
    return _ids("SELECT * FROM tenants_after(%s, %s)", after, most)


def rewrap_keys(*, tenant_id: int) -> int:
    """Wrap a tenant's keys by the first master key; how many were not. Raises `CannotOpen` for a master key we lack."""
    with tenant_scope(tenant_id):
        keys = TenantKey.objects.filter(tenant_id=tenant_id).exclude(master=first_master())
        rows = list(keys.order_by("id").select_for_update(no_key=True))
        for row in rows:
            bound = label(tenant_id, row.purpose, row.number)
            row.master, row.wrapped = wrap(bound, unwrap(bound, row.master, bytes(row.wrapped)))
        TenantKey.objects.bulk_update(rows, ["master", "wrapped"])
        return len(rows)


def rotate_data_key(*, tenant_id: int) -> int:
    """Give a tenant a new data key, which seals from now on; its number. What is sealed already opens as before."""
    with tenant_scope(tenant_id):
        while not add_key(tenant_id, Purpose.DATA, number := _newest(tenant_id) + 1):
            pass
        forget_vaults()
        return number


def reseal_values(*, tenant_id: int, most: int = 500, told: Told = lambda column, part: None) -> Resealed:
    """Seal all of a tenant's values under the newest key, `most` rows in a transaction, and forget the older keys.

    `told` hears of each part. Keys stay when the newest is less than an hour old: somebody may still use one.
    """
    forget_vaults()
    with tenant_scope(tenant_id) as scope:
        newest = TenantKey.objects.filter(tenant_id=tenant_id, purpose=Purpose.DATA).order_by("number").last()
        settled = newest is not None and newest.created_at < scope.now - RETIRE_AFTER
    resealed = sum(part.resealed for part in _parts(tenant_id, most, told))
    retired = _retire(tenant_id, newest.number) if newest is not None and settled else 0
    return Resealed(resealed, retired)


def _parts(tenant_id: int, most: int, told: Told) -> Iterator[Part]:
    for column in sealed_columns():
        after: int | None = 0
        while after is not None:
            with tenant_scope(tenant_id):
                part = column.reseal(tenant_id=tenant_id, after=after, most=most)
            told(column, part)
            yield part
            after = part.last


def _retire(tenant_id: int, newest: int) -> int:
    """Forget the keys older than the one that was the newest before every value was looked at."""
    with tenant_scope(tenant_id):
        older = TenantKey.objects.filter(tenant_id=tenant_id, purpose=Purpose.DATA, number__lt=newest)
        return older.delete()[0]


def _newest(tenant_id: int) -> int:
    numbers = TenantKey.objects.filter(tenant_id=tenant_id, purpose=Purpose.DATA).values_list("number", flat=True)
    return max(numbers, default=0)


def _ids(statement: str, *parameters: int | str) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [tenant_id for (tenant_id,) in cursor.fetchall()]
