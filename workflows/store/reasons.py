"""What people say when they ask for something: kept as payloads, so that it is sealed and can be erased.

The trace and the run keep the address of the words in their place. Runs inside the caller's tenant scope.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from signals_app.services.payloads import canonical, load_payloads, write_payloads
from tenants.sql import arrays, execute, fetch, insert

OURS = frozenset({"subject_erased"})  # a word of the service's own tells nothing of anybody
GONE = "(erased)"
_ADDRESS = re.compile(r"[0-9a-f]{64}")
_REASON = {"run_id": "bigint", "told": "bytea", "payload_sha": "bytea"}
_NAME = insert("workflows_runreason", _REASON, "ON CONFLICT (tenant_id, run_id, told) DO NOTHING")
_NAMED = """
SELECT told, payload_sha FROM workflows_runreason
 WHERE tenant_id = %s AND run_id = ANY(%s) AND payload_sha IS NOT NULL
"""


def is_address(text: Any) -> bool:
    """Whether this stands for words that are kept elsewhere."""
    return isinstance(text, str) and _ADDRESS.fullmatch(text) is not None


def keep_words(tenant_id: int, words: Iterable[str]) -> dict[str, str]:
    """Write the words of people; by text, the address that stands for them. Name it with `name_reasons`, or it goes."""
    texts = {canonical({"reason": text}): text for text in words}
    written = write_payloads(tenant_id=tenant_id, texts=texts)
    return {text: written[payload].hex() for payload, text in texts.items()}


def name_reasons(tenant_id: int, named: Iterable[tuple[int, str]]) -> None:
    """Note that runs, given by id, name these addresses."""
    rows = [(run_id, bytes.fromhex(told), bytes.fromhex(told)) for run_id, told in sorted(set(named))]
    if rows:
        execute(_NAME, [tenant_id, *arrays(rows, _REASON)])


def words_in(context: Mapping[str, Any], keys: Sequence[str] = ("why",)) -> set[str]:
    """The words of people in a context, at any depth, that are not kept yet."""
    found = {context[key] for key in keys if isinstance(context.get(key), str)}
    for value in context.values():
        if isinstance(value, Mapping):
            found |= words_in(value, keys)
    return {text for text in found if text and text not in OURS and not is_address(text)}


def replaced(context: Mapping[str, Any], by: Mapping[str, str]) -> dict[str, Any]:
    """The context with every text that is in `by` replaced, under the keys that hold what people said."""
    return {
        key: replaced(value, by)
        if isinstance(value, Mapping)
        else by.get(value, value)
        if key in ("why", "terminal_reason") and isinstance(value, str)
        else value
        for key, value in context.items()
    }


def spoken(tenant_id: int, run_ids: Sequence[int], told: Iterable[Any]) -> dict[str, str]:
    """By address, the words that these texts and contexts of runs stand for; `GONE` where they were erased."""
    wanted = {address for one in told for address in _addresses(one)}
    if not wanted:
        return {}
    named = {bytes(one).hex(): bytes(sha) for one, sha in fetch(_NAMED, [tenant_id, list(run_ids)])}
    bodies = load_payloads(tenant_id, (named[one] for one in wanted if one in named))
    return {one: bodies.get(named.get(one, b""), {}).get("reason", GONE) for one in wanted}


def _addresses(told: Any) -> set[str]:
    if isinstance(told, Mapping):
        nested = (_addresses(value) for key, value in told.items() if isinstance(value, Mapping))
        own = {told[key] for key in ("why", "terminal_reason") if is_address(told.get(key))}
        return own.union(*nested)
    return {told} if is_address(told) else set()
