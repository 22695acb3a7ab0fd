"""What migrations share that seal values of before there were vaults. Parts of a table at a time, as the owner role."""

from collections.abc import Iterator
from typing import Any

from tenants.vault.vault import vault_of

PART = 1000


def rekey(cursor: Any, table: str, column: str, purpose: str) -> None:
    """Replace each SHA-256 in a column by the keyed digest that its tenant's vault makes of it."""
    for tenant_id, row_id, sha in values(cursor, table, column):
        write(cursor, table, tenant_id, row_id, **{column: vault_of(tenant_id).keyed(purpose, bytes(sha))})


def values(cursor: Any, table: str, *columns: str) -> Iterator[tuple[Any, ...]]:
    """(tenant id, id, value of each column) of every row whose first column has a value."""
    cursor.execute(f"SELECT DISTINCT tenant_id FROM {table}")  # noqa: S608
    for (tenant_id,) in cursor.fetchall():
        after = 0
        while found := _part(cursor, table, columns, tenant_id, after):
            yield from found
            after = found[-1][1]


def write(cursor: Any, table: str, tenant_id: int, row_id: int, **changes: Any) -> None:
    """Change columns of one row."""
    assignments = ", ".join(f"{name} = %s" for name in changes)
    statement = f"UPDATE {table} SET {assignments} WHERE tenant_id = %s AND id = %s"  # noqa: S608
    cursor.execute(statement, [*changes.values(), tenant_id, row_id])


def _part(cursor: Any, table: str, columns: tuple[str, ...], tenant_id: int, after: int) -> list[tuple[Any, ...]]:
    cursor.execute(
        f"SELECT tenant_id, id, {', '.join(columns)} FROM {table}"  # noqa: S608
        f" WHERE tenant_id = %s AND id > %s AND {columns[0]} IS NOT NULL ORDER BY id LIMIT %s",
        [tenant_id, after, PART],
    )
    return list(cursor.fetchall())
