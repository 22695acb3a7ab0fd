"""Sealing bytes under a key, with AES-256-GCM. Pure: keys come in, nothing is looked up.

A sealed value is `version (1) | number of the key (4) | nonce (12) | ciphertext and tag`. The label of a value (where
it is kept and under which name) is authenticated with it: moved to another row, column or tenant it does not open.
Nonces are random: a key may seal 2³² values before two nonces are likely to meet, so rotate data keys before that.
"""

import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chimeway_py.errors import ChimewayError

KEY_BYTES = 32
_VERSION = b"\x01"
_NUMBER_END, _NONCE_END = 5, 17


class CannotOpen(ChimewayError):
    """A sealed value does not open: its key is missing, or it was changed or moved."""

    code = "cannot_open"
    status = 500


def new_key() -> bytes:
    """256 random bits."""
    return os.urandom(KEY_BYTES)


def seal(cipher: AESGCM, number: int, label: bytes, plain: bytes) -> bytes:
    """The sealed value, which names the key by its number."""
    nonce = os.urandom(_NONCE_END - _NUMBER_END)
    return _VERSION + number.to_bytes(4, "big") + nonce + cipher.encrypt(nonce, plain, label)


def number_of(sealed: bytes) -> int:
    """The number of the key that sealed it. Raises `CannotOpen` for what is no sealed value."""
    if len(sealed) < _NONCE_END or sealed[:1] != _VERSION:
        raise CannotOpen("This is not a sealed value.")
    return int.from_bytes(sealed[1:_NUMBER_END], "big")


def unseal(ciphers: Mapping[int, AESGCM], label: bytes, sealed: bytes) -> bytes:
    """The value that was sealed under this label. Raises `CannotOpen`."""
    cipher = ciphers.get(number_of(sealed))
    if cipher is None:
        raise CannotOpen(f"There is no key {number_of(sealed)}.")
    try:
        return cipher.decrypt(sealed[_NUMBER_END:_NONCE_END], sealed[_NONCE_END:], label)
    except InvalidTag as error:
        raise CannotOpen("The value was changed, moved, or sealed under another key.") from error
