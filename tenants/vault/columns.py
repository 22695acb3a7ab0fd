"""Where sealed values are kept: each app says so when it starts, so that rotating a key finds all of them."""

import json
from base64 import b64decode
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db import connection

from tenants.vault.vault import Vault, vault_of


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a column, and what was done to them. `last` is the id to go on after; None at the end."""

    looked_at: int
    resealed: int
    last: int | None


@dataclass(frozen=True, slots=True)
class SealedBytes:
    """A bytea column of sealed texts, bound to the value of the column `name` in the same row."""

    table: str
    column: str
    name: str = "public_id"
    kind: ClassVar[str] = "bytea"

    @property
    def place(self) -> str:
        """As the vault is told."""
        return f"{self.table}.{self.column}"

    def reseal(self, *, tenant_id: int, after: int, most: int) -> Part:
        """Seal the values of at most `most` rows after an id under the newest key. Needs the tenant's scope.

        A value that somebody changed meanwhile stays as it is: it is under the newest key already.
        """
        vault, rows = vault_of(tenant_id), self._rows(tenant_id, after, most)
        changes = [(id_, old, new) for id_, name, old in rows if (new := self._anew(vault, _name(name), old)) != old]
        return Part(len(rows), self._replace(tenant_id, changes), rows[-1][0] if len(rows) == most else None)

    def _anew(self, vault: Vault, name: bytes | str, value: Any) -> Any:
        old = bytes(value)
        return value if vault.is_current(old) else vault.seal(self.place, name, vault.open(self.place, name, old))

    def _rows(self, tenant_id: int, after: int, most: int) -> list[tuple[int, Any, Any]]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT id, {self.name}, {self.column} FROM {self.table}"  # noqa: S608
                f" WHERE tenant_id = %s AND id > %s AND {self.column} IS NOT NULL ORDER BY id LIMIT %s",
                [tenant_id, after, most],
            )
            return list(cursor.fetchall())

    def _replace(self, tenant_id: int, changes: list[tuple[int, Any, Any]]) -> int:
        if not changes:
            return 0
        columns = [list(column) for column in zip(*changes, strict=True)]
        given = f"unnest(%s::bigint[], %s::text[]::{self.kind}[], %s::text[]::{self.kind}[]) AS u (id, old, new)"
        if self.kind == "bytea":
            given = given.replace("text[]::", "")
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {self.table} t SET {self.column} = u.new FROM {given}"  # noqa: S608
                f" WHERE t.tenant_id = %s AND t.id = u.id AND t.{self.column} = u.old",
                [*columns, tenant_id],
            )
            return int(cursor.rowcount)


@dataclass(frozen=True, slots=True)
class SealedSecrets(SealedBytes):
    """A JSON column with a list of objects, one `member` of each sealed and in base64. Such tables are small."""

    member: str = "secret"
    kind: ClassVar[str] = "jsonb"

    def _anew(self, vault: Vault, name: bytes | str, value: Any) -> str:
        entries = json.loads(value)
        for entry in entries:
            if not vault.is_current(b64decode(entry[self.member])):
                secret = vault.open_from_text(self.place, name, entry[self.member])
                entry[self.member] = vault.seal_as_text(self.place, name, secret)
        return value if entries == json.loads(value) else json.dumps(entries)


_columns: dict[str, SealedBytes] = {}


def register(*columns: SealedBytes) -> None:
    """Make columns known. Doing so again changes nothing."""
    _columns.update({column.place: column for column in columns})


def sealed_columns() -> list[SealedBytes]:
    """Every column with sealed values."""
    return list(_columns.values())


def _name(value: Any) -> bytes | str:
    """What a value is bound to, from the row's column: bytes as they are, all else as text."""
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value)
