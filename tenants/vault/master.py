"""Master keys: they wrap the keys of tenants and nothing else, and live in the environment, never in the database."""

import hashlib
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from tenants.vault.sealing import CannotOpen, seal, unseal


def master_id(key: bytes) -> str:
    """The name of a master key: 16 hex digits of a digest, so that a row can say which one wrapped it."""
    return hashlib.sha256(b"chimeway master key\0" + key).hexdigest()[:16]


def first_master() -> str:
    """The name of the master key that wraps from now on."""
    return next(iter(_masters(tuple(settings.PAYLOAD_KEYS))))


def known_masters() -> list[str]:
    """The names of all master keys of the settings, the one that wraps first."""
    return list(_masters(tuple(settings.PAYLOAD_KEYS)))


def wrap(label: bytes, key: bytes) -> tuple[str, bytes]:
    """The name of the first master key, and the key wrapped by it."""
    name, cipher = next(iter(_masters(tuple(settings.PAYLOAD_KEYS)).items()))
    return name, seal(cipher, 0, label, key)


def unwrap(label: bytes, master: str, wrapped: bytes) -> bytes:
    """The key again. Raises `CannotOpen` when the settings do not have its master key."""
    cipher = _masters(tuple(settings.PAYLOAD_KEYS)).get(master)
    if cipher is None:
        raise CannotOpen(f"PAYLOAD_KEYS lacks the master key {master}.")
    return unseal({0: cipher}, label, wrapped)


@lru_cache(maxsize=4)
def _masters(keys: tuple[bytes, ...]) -> dict[str, AESGCM]:
    return {master_id(key): AESGCM(key) for key in keys}
