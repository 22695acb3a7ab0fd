"""Public identifiers: UUID version 7 (RFC 9562, section 5.7): made together, they lie together in an index."""

import os
import threading
import time
import uuid

_lock = threading.Lock()
_last = 0


def new_public_id() -> uuid.UUID:
    """A new UUIDv7: 48 bits of milliseconds since 1970, 12 bits of fractions of one, and 62 random bits.

    A process gives them in order (section 6.2, method 3): runs that start in one call are listed as the call has them.
    """
    global _last
    now = (time.time_ns() << 12) // 1_000_000
    with _lock:
        _last = now = max(now, _last + 1)
    chance = int.from_bytes(os.urandom(8), "big") >> 2
    return uuid.UUID(int=(now >> 12) << 80 | 0x7 << 76 | (now & 0xFFF) << 64 | 0b10 << 62 | chance)
