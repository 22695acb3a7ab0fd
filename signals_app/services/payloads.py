"""Payloads: write bodies once under a keyed digest of their canonical JSON, sealed, and read them by it.

Whoever writes a payload names it in the same transaction. Until that commits, a share lock on the row keeps
`signals_app.services.collecting` from taking it away; a row that was just taken away is written again.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from chimeway_py.jsontext import encoder_of
from tenants.sql import Question, Rows, arrays, ask, fetch, given
from tenants.vault import Vault, vault_of

PLACE = "signals_app_payload.sealed"
_PAYLOAD = {"address": "bytea", "sealed": "bytea", "size": "int"}
_WRITE = f"""
INSERT INTO signals_app_payload (tenant_id, address, sealed, size, stored_at)
SELECT %s, u.*, clock_timestamp() FROM {given(_PAYLOAD)}
ON CONFLICT (tenant_id, address) DO NOTHING RETURNING address
"""  # noqa: S608  column names of our own
_HOLD = """
SELECT address FROM signals_app_payload WHERE tenant_id = %s AND address = ANY (%s::bytea[])
 ORDER BY address FOR KEY SHARE
"""
_IDS = "SELECT address, id FROM signals_app_payload WHERE tenant_id = %s AND address = ANY (%s::bytea[])"
_READ = "SELECT address, sealed FROM signals_app_payload WHERE tenant_id = %s AND address = ANY (%s::bytea[])"


#: The one JSON text of a value: keys sorted, no spaces, no escapes that UTF-8 can do without.
#: Raises `ValueError` for NaN and infinities, `TypeError` for what JSON cannot say.
canonical: Callable[[Any], str] = encoder_of(ascii_only=False, nan=False)


def digest(text: str) -> bytes:
    """SHA-256 of a text in UTF-8; a vault makes of it what may be stored. Raises `UnicodeEncodeError`."""
    return hashlib.sha256(text.encode()).digest()


def address_of(vault: Vault, text: str) -> bytes:
    """Where a canonical text is stored: 32 bytes that its tenant alone can compute."""
    return vault.digest("payload", text)


def write_payloads(*, tenant_id: int, texts: Iterable[str]) -> dict[str, bytes]:
    """Store canonical texts inside the caller's tenant scope; the address of each. What is stored already stays."""
    addresses, hold = send_payloads(tenant_id=tenant_id, texts=texts)
    hold()
    return addresses


def send_payloads(*, tenant_id: int, texts: Iterable[str]) -> tuple[dict[str, bytes], Callable[[], None]]:
    """As `write_payloads`, without waiting for the server: call what is returned before the transaction ends.

    For who names the payloads in the same trip; see `tenants.sql.ask`.
    """
    writing = PayloadWriting(tenant_id, texts)
    answers = [ask(*question) for question in writing.questions]
    return writing.addresses, lambda: writing.hold([answer() for answer in answers])


class PayloadWriting:
    """Texts on their way into the store: where each will be, what to ask of the database, and what to do after it."""

    def __init__(self, tenant_id: int, texts: Iterable[str]) -> None:
        texts = set(texts)
        self._vault = vault_of(tenant_id)
        self.addresses = {text: address_of(self._vault, text) for text in texts}
        self._missing = {address: text for text, address in self.addresses.items()}
        self.questions: list[Question] = [_inserting(self._vault, self._missing)] if texts else []

    def hold(self, answers: Sequence[Rows]) -> None:
        """Hold what was there, and write again what was taken away meanwhile. In the transaction of the answers."""
        missing, (written,) = self._missing, answers or ((),)
        while missing:
            fresh = {bytes(address) for (address,) in written}
            others = [address for address in missing if address not in fresh]
            held = _hold(self._vault.tenant_id, others) if others else set()
            missing = {address: missing[address] for address in others if address not in held}
            written = fetch(*_inserting(self._vault, missing)) if missing else []


def _inserting(vault: Vault, texts: Mapping[bytes, str]) -> Question:
    """Insert what is not there; the addresses that were not."""
    # Sorted, so that two transactions that share bodies meet them in one order and cannot deadlock.
    rows = [(address, vault.seal(PLACE, address, text), len(text.encode())) for address, text in sorted(texts.items())]
    return _WRITE, [vault.tenant_id, *arrays(rows, _PAYLOAD)]


def _hold(tenant_id: int, addresses: list[bytes]) -> set[bytes]:
    """Share locks on rows that others wrote, until this transaction ends; the addresses that are still there."""
    return {bytes(address) for (address,) in fetch(_HOLD, [tenant_id, addresses])}


def store_payloads(tenant_id: int, bodies: Iterable[Any]) -> dict[bytes, int]:
    """Store JSON values and return the payload id under each address. Runs in the caller's tenant scope."""
    addresses = write_payloads(tenant_id=tenant_id, texts=[canonical(body) for body in bodies])
    return dict(_rows(_IDS, tenant_id, addresses.values()))


def load_payloads(tenant_id: int, addresses: Iterable[bytes]) -> dict[bytes, Any]:
    """The JSON values at these addresses; an address with nothing there is not in the answer. Raises `CannotOpen`."""
    found = _rows(_READ, tenant_id, addresses)
    if not found:
        return {}
    vault = vault_of(tenant_id)
    return {address: json.loads(vault.open(PLACE, address, sealed)) for address, sealed in found}


def _rows(query: str, tenant_id: int, addresses: Iterable[bytes]) -> list[tuple[bytes, Any]]:
    wanted = sorted({bytes(address) for address in addresses})
    if not wanted:
        return []
    return [(bytes(address), value) for address, value in fetch(query, [tenant_id, wanted])]
