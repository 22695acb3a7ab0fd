"""Public identifiers: UUID version 7 (RFC 9562, section 5.7): made together, they lie together in an index."""

import os
import time
import uuid


def new_public_id() -> uuid.UUID:
    """A new UUIDv7: 48 bits of milliseconds since 1970, then 74 random bits."""
    chance = int.from_bytes(os.urandom(10), "big")
    value = (time.time_ns() // 1_000_000) << 80 | chance
    return uuid.UUID(int=value & ~(0xF << 76 | 0b11 << 62) | 0x7 << 76 | 0b10 << 62)
