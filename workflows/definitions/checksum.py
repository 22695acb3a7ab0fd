"""One text for one document, and its digest: what tells two versions of a definition apart."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces. Raises ValueError for a number that JSON does not have."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def checksum(document: Mapping[str, Any]) -> str:
    """The SHA-256 of the canonical JSON of a document, 64 hexadecimal digits. Key order and layout do not count."""
    return hashlib.sha256(canonical_json(document).encode()).hexdigest()
