"""What a head tells, and the one text of it that is hashed and signed."""

import hashlib
import struct
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from workflows.store.chain import canonical

VERSION = 1
FIRST = b"\x00" * 32  # the digest before the first head
_LEAF = struct.Struct(">16s?I32s")


class Leaf(NamedTuple):
    """The last line of a trace at that moment: of a run, or of one that was pruned, by its tombstone."""

    run: uuid.UUID
    is_pruned: bool
    seq: int
    hash: bytes


def pack(leaves: Iterable[Leaf]) -> bytes:
    """53 bytes each, in order of the runs."""
    return b"".join(_LEAF.pack(leaf.run.bytes, *leaf[1:]) for leaf in sorted(leaves))


def unpack(packed: bytes) -> list[Leaf]:
    """What `pack` made."""
    return [Leaf(uuid.UUID(bytes=run), *rest) for run, *rest in _LEAF.iter_unpack(packed)]


def document(
    tenant: uuid.UUID, number: int, previous: bytes, signed_at: datetime, leaves: Sequence[Leaf]
) -> dict[str, Any]:
    """All that a head says, as JSON has it. `runs` and `pruned` are lists of [id of the run, seq, hash]."""
    told: dict[bool, list[list[Any]]] = {False: [], True: []}
    for leaf in leaves:
        told[leaf.is_pruned].append([str(leaf.run), leaf.seq, leaf.hash.hex()])
    return {
        "format": VERSION,
        "tenant": str(tenant),
        "number": number,
        "previous": previous.hex(),
        "signed_at": signed_at.isoformat(),
        "runs": told[False],
        "pruned": told[True],
    }


def digest_of(said: Mapping[str, Any]) -> bytes:
    """SHA-256 of the canonical text (keys sorted, no spaces, ASCII) without what signs it."""
    own = {name: value for name, value in said.items() if name not in ("digest", "key", "signature")}
    return hashlib.sha256(canonical(own).encode()).digest()


def leaves_of(said: Mapping[str, Any]) -> list[Leaf]:
    """The leaves of a document. Raises `ValueError`, `TypeError` or `KeyError` when it is none."""
    return [
        Leaf(uuid.UUID(run), name == "pruned", int(seq), bytes.fromhex(hash_))
        for name in ("runs", "pruned")
        for run, seq, hash_ in said[name]
    ]
