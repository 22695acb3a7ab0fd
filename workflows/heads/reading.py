"""Reading heads: one as the document that was signed, or all of them as lines of a file to keep elsewhere."""

import uuid
from collections.abc import Iterator
from typing import Any

from tenants.scope import tenant_scope
from workflows.heads.errors import HeadNotFound
from workflows.heads.leaves import document, unpack
from workflows.heads.signing import tenant_name
from workflows.models import TraceHead
from workflows.store.chain import canonical


def head_document(*, tenant_id: int, public_id: uuid.UUID) -> dict[str, Any]:
    """What was signed, with its digest, its signature and the name of the key. Raises `HeadNotFound`."""
    with tenant_scope(tenant_id):
        head = TraceHead.objects.filter(tenant_id=tenant_id, public_id=public_id).first()
        if head is None:
            raise HeadNotFound
        return _said(tenant_id, head)


def export_heads(*, tenant_id: int, after: int = 0) -> Iterator[str]:
    """Heads with a number greater than `after`, in order, a line of JSON each: read one at a time."""
    while True:
        with tenant_scope(tenant_id):
            heads = TraceHead.objects.filter(tenant_id=tenant_id, number__gt=after)
            head = heads.order_by("number").first()
            if head is None:
                return
            line = canonical(_said(tenant_id, head))
        yield f"{line}\n"
        after = head.number


def _said(tenant_id: int, head: TraceHead) -> dict[str, Any]:
    leaves = unpack(bytes(head.leaves))
    said = document(tenant_name(tenant_id), head.number, bytes(head.previous), head.signed_at, leaves)
    signed = {"digest": bytes(head.digest).hex(), "signature": bytes(head.signature).hex()}
    return said | signed | {"key": head.key}
