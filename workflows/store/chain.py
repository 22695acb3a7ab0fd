"""The hash chain of a trace: each transition's digest covers its content and the digest before it."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chimeway_py.jsontext import encoder_of

GENESIS = b"\x00" * 32
#: The one text of a value: keys sorted, no spaces, nothing but ASCII.
canonical = encoder_of(ascii_only=True, nan=True)


def digest(
    *,
    prev: bytes,
    tenant_id: int,
    run: str,
    seq: int,
    step: str,
    visit: int,
    delivery: str | None,
    cause: str,
    cause_ref: str,
    from_state: str,
    to_state: str,
    reason: str,
    context: Mapping[str, Any] | str,
    occurred_at: datetime,
) -> bytes:
    """SHA-256 of the previous digest followed by the fields as one JSON array. `run` and `delivery` are public ids.

    The last field is the time in microseconds since 1970. `context` may be its canonical text, if the caller has it.
    """
    fields = [tenant_id, run, seq, step, visit, delivery, cause, cause_ref, from_state, to_state, reason]
    text = context if isinstance(context, str) else canonical(context)
    line = f"{canonical(fields)[:-1]},{text},{int(occurred_at.timestamp() * 1_000_000)}]"
    return hashlib.sha256(prev + line.encode()).digest()
