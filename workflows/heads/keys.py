"""The keys that sign heads: Ed25519, from the settings. What proves a head is public, and named by its digest."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

from workflows.heads.errors import NoHeadKey

PublicKeys = Mapping[str, bytes]
"""By name, the 32 bytes of each."""


def public_keys() -> PublicKeys:
    """The public halves of the keys of the settings, the one that signs first."""
    return {name_of(public): public for public in (_public(key) for key in _private_keys(tuple(settings.HEAD_KEYS)))}


def sign(digest: bytes) -> tuple[str, bytes]:
    """The name of the first key, and its signature. Raises `NoHeadKey`."""
    keys = _private_keys(tuple(settings.HEAD_KEYS))
    if not keys:
        raise NoHeadKey
    return name_of(_public(keys[0])), keys[0].sign(digest)


def is_signed(digest: bytes, signature: bytes, public: bytes) -> bool:
    """Whether the private half of this key signed the digest."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, digest)
    except InvalidSignature:
        return False
    return True


def name_of(public: bytes) -> str:
    """16 hex digits, by which a head says who signed it."""
    return hashlib.sha256(b"chimeway head key\0" + public).hexdigest()[:16]


def read_keys(texts: Iterable[str]) -> PublicKeys:
    """Public keys from base64, by name. Raises `ValueError`."""
    keys = [base64.b64decode(text, validate=True) for text in texts]
    if any(len(key) != 32 for key in keys):
        raise ValueError("A public key has 32 bytes.")
    return {name_of(key): key for key in keys}


@lru_cache(maxsize=4)
def _private_keys(keys: tuple[bytes, ...]) -> tuple[Ed25519PrivateKey, ...]:
    return tuple(Ed25519PrivateKey.from_private_bytes(key) for key in keys)


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()
