"""A tenant's vault: seals and opens values, and makes digests that nobody without the tenant's key can guess.

Each process keeps the unwrapped keys of the tenants it serves for a minute. A key that another process made meanwhile
is found by its number when the first value under it is opened; see `tenants.vault.rotation` for when old ones may go.
"""

import hashlib
import hmac
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV

from tenants.scope import tenant_scope
from tenants.vault import rows
from tenants.vault.sealing import number_of, seal, unseal

KEPT_SECONDS = 60.0
MOST_KEPT = 10_000  # tenants
_kept: dict[int, tuple[float, "Vault"]] = {}


@dataclass(frozen=True, slots=True)
class Vault:
    """One tenant's keys, unwrapped. `place` is where a value is kept (table.column), `name` what its row is called."""

    tenant_id: int
    current: int
    ciphers: Mapping[int, AESGCM] = field(repr=False)
    digest_key: bytes = field(repr=False)

    def seal(self, place: str, name: bytes | str, text: str) -> bytes:
        """The text, unreadable, and bound to this place and name."""
        return seal(self.ciphers[self.current], self.current, self._label(place, name), text.encode())

    def open(self, place: str, name: bytes | str, sealed: bytes) -> str:
        """The text that was sealed for this place and name. Raises `CannotOpen`."""
        sealed = bytes(sealed)
        ciphers = self.ciphers
        if number_of(sealed) not in ciphers:
            ciphers = _load(self.tenant_id).ciphers  # a key that another process made since we looked
        return unseal(ciphers, self._label(place, name), sealed).decode()

    def seal_as_text(self, place: str, name: bytes | str, text: str) -> str:
        """The same in base64, for values inside JSON."""
        return b64encode(self.seal(place, name, text)).decode()

    def open_from_text(self, place: str, name: bytes | str, sealed: str) -> str:
        """What `seal_as_text` sealed. Raises `CannotOpen`."""
        return self.open(place, name, b64decode(sealed))

    def is_current(self, sealed: bytes) -> bool:
        """Whether the newest key sealed it."""
        return number_of(bytes(sealed)) == self.current

    def digest(self, purpose: str, text: str) -> bytes:
        """32 bytes that tell two texts apart. Keyed: without the key nobody finds a short text by trying."""
        return self.keyed(purpose, hashlib.sha256(text.encode()).digest())

    def keyed(self, purpose: str, sha: bytes) -> bytes:
        """The same for a text whose SHA-256 is known already."""
        return hmac.digest(self.digest_key, purpose.encode() + b"\0" + sha, "sha256")

    def wrap(self, purpose: str, text: str) -> bytes:
        """The text, unreadable, always the same for the same text, for what leaves us and comes back years later.

        Its key is made of the one that makes digests and so outlives every rotation. AES-SIV (RFC 5297) needs no nonce.
        """
        return self._lasting(purpose).encrypt(text.encode(), None)

    def unwrap(self, purpose: str, wrapped: bytes) -> str | None:
        """The text that was wrapped for this purpose; None for what was not."""
        try:
            return self._lasting(purpose).decrypt(wrapped, None).decode()
        except (InvalidTag, ValueError):
            return None

    def _lasting(self, purpose: str) -> AESSIV:
        return AESSIV(hmac.digest(self.digest_key, b"wrap\0" + purpose.encode(), "sha512"))

    def _label(self, place: str, name: bytes | str) -> bytes:
        return f"{place}\0{self.tenant_id}\0".encode() + (name if isinstance(name, bytes) else name.encode())


def vault_of(tenant_id: int) -> Vault:
    """The vault of a tenant, made if it has none. Works inside the tenant's scope and outside any.

    Raises `CannotOpen` when the settings lack the master key.
    """
    known = _kept.get(tenant_id)
    if known is not None and known[0] > time.monotonic():
        return known[1]
    return _load(tenant_id)


def forget_vaults() -> None:
    """Let this process read every key again when it next needs one."""
    _kept.clear()


def _load(tenant_id: int) -> Vault:
    with tenant_scope(tenant_id):
        keys = rows.read_keys(tenant_id) or rows.make_keys(tenant_id)
    data = {key.number: AESGCM(key.secret) for key in keys if key.purpose == rows.Purpose.DATA}
    digest_key = next(key.secret for key in keys if key.purpose == rows.Purpose.DIGEST)
    vault = Vault(tenant_id, max(data), data, digest_key)
    if all(key.is_settled for key in keys):
        if len(_kept) >= MOST_KEPT:
            _kept.clear()
        _kept[tenant_id] = (time.monotonic() + KEPT_SECONDS, vault)
    return vault
