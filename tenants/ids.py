"""Public identifiers: UUID version 7 (RFC 9562, section 5.7): made together, they lie together in an index."""

import secrets
import time
import uuid


def new_public_id() -> uuid.UUID:
    """A new UUIDv7: 48 bits of milliseconds since 1970, then 74 random bits."""
    value = (
        (time.time_ns() // 1_000_000) << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    )
    return uuid.UUID(int=value)
