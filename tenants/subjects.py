"""Subjects, as tables that should not name them know them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tenants.vault import vault_of


def subject_digest(tenant_id: int, subject: str) -> bytes:
    """32 bytes that stand for a subject: the same each time, and of no use without the tenant's key."""
    return vault_of(tenant_id).digest("subject", subject)


def subjects_in(body: Any) -> set[str]:
    """The subjects that a JSON value names: texts under `subject`, and lists of them under `subjects`."""
    return {text for text in _texts(body) if text}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if name == "subject" and isinstance(item, str):
                yield item
            elif name == "subjects" and isinstance(item, Iterable):
                yield from (one for one in item if isinstance(one, str))
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
