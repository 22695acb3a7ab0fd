"""What the schemes share: the contract, timestamps, and a comparison that does not tell by its length what matched."""

import base64
import binascii
import hashlib
import hmac
import re
import secrets as randomness
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

TOLERANCE = 300  # seconds that a signed time may differ from ours, in both directions
_SECONDS = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a webhook was refused, for operators: the part that failed and what is wrong with it. Never a value."""

    part: str
    reason: str


class SignatureScheme(Protocol):
    """One way of signing a webhook."""

    default_external_id: str
    """Where this kind of sender puts the id of an event, in the words of a mapping."""

    def verify(
        self, *, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Rejection | None:
        """None if a secret signed the body, else the part that failed."""

    def is_secret(self, secret: str) -> bool:
        """Whether the text can be a secret of this scheme."""

    def new_secret(self) -> str:
        """A fresh secret of 256 bits."""


def timestamp_fault(text: str, now: datetime) -> str:
    """What is wrong with a time in seconds since 1970 as text, in words, or nothing."""
    if not text:
        return "missing"
    if not _SECONDS.fullmatch(text):
        return "not a number of seconds"
    age = now.timestamp() - int(text)
    if age > TOLERANCE:
        return "timestamp too old"
    return "timestamp in the future" if age < -TOLERANCE else ""


def signatures(keys: Iterable[bytes], content: bytes) -> list[bytes]:
    """The HMAC-SHA-256 of the content under each key."""
    return [hmac.digest(key, content, hashlib.sha256) for key in keys]


def any_equal(expected: Sequence[bytes], presented: Sequence[bytes]) -> bool:
    """Whether one of each is the same. Every pair is compared, so the time taken tells nothing."""
    met = 0
    for ours in expected:
        for theirs in presented:
            met += hmac.compare_digest(ours, theirs)
    return met > 0


def raw(header: str) -> bytes:
    """The bytes of a header as they came (WSGI decodes them as Latin-1); bytes of any kind can be compared."""
    return header.encode("latin-1", "replace")


def key_of_whsec(secret: str) -> bytes | None:
    """The key inside a `whsec_<base64>` secret, or None if it is not one of 16 bytes or more."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) >= 16 else None


def new_whsec() -> str:
    """A fresh `whsec_` secret."""
    return "whsec_" + base64.b64encode(randomness.token_bytes(32)).decode()


def is_plain_secret(secret: str) -> bool:
    """Whether the text can be a secret that is used as it stands: 16 to 256 visible ASCII characters."""
    return 16 <= len(secret) <= 256 and secret.isascii() and secret.isprintable() and " " not in secret
