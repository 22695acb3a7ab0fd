"""The hash chain of a trace: each transition's digest covers its content and the digest before it."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

GENESIS = b"\x00" * 32
#: The one text of a value: keys sorted, no spaces. One encoder for all, because making one is the greater cost.
canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


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
    context: Mapping[str, Any],
    occurred_at: datetime,
) -> bytes:
    """SHA-256 of the previous digest followed by the fields as one JSON array. `run` and `delivery` are public ids."""
    fields = [
        tenant_id, run, seq, step, visit, delivery, cause, cause_ref, from_state, to_state, reason, context,
        int(occurred_at.timestamp() * 1_000_000),
    ]  # fmt: skip
    return hashlib.sha256(prev + canonical(fields).encode()).digest()
