"""One text for one document, and its digest: what tells two versions of a definition apart."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces. Raises ValueError for a number that JSON does not have."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def checksum(document: Mapping[str, Any]) -> str:
    """The SHA-256 of a document, 64 hexadecimal digits. Key order, layout and the spelling of numbers do not count."""
    return hashlib.sha256(canonical_json(_plain(document)).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """The value as PostgreSQL gives it back: jsonb stores 1e16 as an integer, so whole floats count as integers."""
    if isinstance(value, Mapping):
        return {key: _plain(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_plain(child) for child in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
