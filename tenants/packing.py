"""Values in PostgreSQL's binary format, a column at a time: arrays, and of a single row the values themselves.

The driver packs a list element by element through its adapters; at two hundred runs a batch this took longer than the
statement. Values of one column repeat (states, reasons, the time of the batch), so each is packed once.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format

_SIZE = struct.Struct(">i").pack
_NULL = _SIZE(-1)
_HEADER = struct.Struct(">iiIii").pack  # dimensions, whether NULLs occur, element type, length, first index
_EMPTY = struct.Struct(">iiI").pack
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_short, _int, _long = struct.Struct(">ih").pack, struct.Struct(">ii").pack, struct.Struct(">iq").pack


def _sized(value: bytes) -> bytes:
    return _SIZE(len(value)) + value


def _text(value: str) -> bytes:
    return _sized(value.encode())


def _instant(value: datetime) -> bytes:
    since = value - _EPOCH
    return _long(8, (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


# Type name -> (oid of the element, how to pack one). Oids as in PostgreSQL's `pg_type`.
KINDS: dict[str, tuple[int, Callable[[Any], bytes]]] = {
    "boolean": (16, lambda value: b"\x00\x00\x00\x01\x01" if value else b"\x00\x00\x00\x01\x00"),
    "bytea": (17, lambda value: _sized(bytes(value))),
    "bigint": (20, lambda value: _long(8, value)),
    "smallint": (21, lambda value: _short(2, value)),
    "int": (23, lambda value: _int(4, value)),
    "text": (25, _text),
    "timestamptz": (1184, _instant),
    "uuid": (2950, lambda value: _sized((value if isinstance(value, UUID) else UUID(str(value))).bytes)),
    "jsonb": (3802, lambda value: _sized(b"\x01" + value.encode())),  # its version, then the text
}


class Packed:
    """One parameter, ready to be sent: an array, or a single value (None for NULL)."""

    __slots__ = ("data",)

    def __init__(self, data: bytes | None) -> None:
        self.data = data


class PackedOne(Packed):
    """The value of a column of a single row: see `tenants.sql.given`."""

    __slots__ = ()


class PackedDumper(Dumper):
    """Gives the driver a `Packed` as it is. The statement names the type."""

    format = Format.BINARY

    def dump(self, obj: Packed) -> Buffer | None:
        """The bytes."""
        return obj.data


class _Parts(dict[Any, bytes]):
    """Each value of a column with its bytes, packed when it is first asked for."""

    def __init__(self, pack: Callable[[Any], bytes]) -> None:
        super().__init__({None: _NULL})
        self.pack = pack

    def __missing__(self, value: Any) -> bytes:
        part = self[value] = self.pack(value)
        return part


def packed(values: Sequence[Any], kind: str) -> Packed:
    """The values of one column as an array of `kind`; None is NULL. Raises what packing a value raises."""
    oid, pack = KINDS[kind]
    if not values:
        return Packed(_EMPTY(0, 0, oid))
    header = _HEADER(1, int(None in values), oid, len(values), 1)
    return Packed(header + b"".join(map(_Parts(pack).__getitem__, values)))


def columns_packed(rows: Iterable[Sequence[Any]], kinds: Sequence[str]) -> list[Packed]:
    """Rows turned into one packed array per column; a single row into its values."""
    rows = rows if isinstance(rows, list) else list(rows)
    if len(rows) == 1:
        return [
            PackedOne(None if value is None else KINDS[kind][1](value)[4:])
            for value, kind in zip(rows[0], kinds, strict=True)
        ]
    columns = list(zip(*rows, strict=True)) or [()] * len(kinds)
    return [packed(column, kind) for column, kind in zip(columns, kinds, strict=True)]
