"""Cursors that say nothing: row ids come from sequences that all tenants share, and would tell how much others do."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from django.conf import settings


class NotACursor(Exception):
    """The text was not sealed here for this list."""


def seal_cursor(value: int, *, of: str) -> str:
    """The place after `value` (0 to 2**63 - 1) in the list that `of` names, as text for a URL."""
    return seal_places([value], of=of)


def seal_places(values: Sequence[int], *, of: str) -> str:
    """The places in several lists that are read as one, which `of` names, as text for a URL."""
    plain = b"".join(value.to_bytes(8) for value in values)
    return base64.urlsafe_b64encode(_cipher(settings.SECRET_KEY).encrypt(plain, [of.encode()])).decode()


def open_cursor(text: str, *, of: str) -> int:
    """The value that was sealed for this list, also under one of `SECRET_KEY_FALLBACKS`. Raises `NotACursor`."""
    return open_places(text, 1, of=of)[0]


def open_places(text: str, number: int, *, of: str) -> list[int]:
    """So many values that were sealed for this list, as `open_cursor` opens one. Raises `NotACursor`."""
    try:
        sealed = base64.b64decode(text, altchars=b"-_", validate=True)
    except ValueError:
        raise NotACursor from None
    for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        try:
            plain = _cipher(key).decrypt(sealed, [of.encode()])
        except (InvalidTag, ValueError):
            continue
        if len(plain) == 8 * number:
            return [int.from_bytes(plain[first : first + 8]) for first in range(0, len(plain), 8)]
    raise NotACursor


@lru_cache(maxsize=8)
def _cipher(secret: str) -> AESSIV:
    return AESSIV(hmac.digest(secret.encode(), b"chimeway_py page cursors", hashlib.sha512))
