"""Exporting a subject: everything that is held about it as JSON lines, with the payloads that its rows name."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice

from signals_app.models import SubjectErasure
from signals_app.services.payloads import load_payloads
from signals_app.subjects.erase import check_subject
from signals_app.subjects.paging import PAGE, in_pages
from signals_app.subjects.registry import Line, holders
from tenants.scope import database_now, tenant_scope
from tenants.subjects import subject_digest


def export_subject(*, tenant_id: int, subject: str) -> Iterator[str]:
    """JSON texts, one per line, without line breaks: the subject, what is held, and a last line with the count.

    Each page is read in a transaction of its own: start it outside of any. Raises `Invalid`, before the first line.
    """
    check_subject(subject)
    return _texts(_lines(tenant_id, subject))


def _texts(lines: Iterable[Line]) -> Iterator[str]:
    number = 0
    for line in lines:
        yield json.dumps(line, ensure_ascii=False)
        number += 1
    yield json.dumps({"kind": "end", "lines": number})  # without it, the export was cut off


def _lines(tenant_id: int, subject: str) -> Iterator[Line]:
    yield {"kind": "subject", "subject": subject, "exported_at": database_now().isoformat()}
    told: set[str] = set()
    for holder in holders():
        lines = holder.export(tenant_id, subject)
        while page := list(islice(lines, PAGE)):
            yield from page
            yield from _payloads(tenant_id, page, told)
    for record in in_pages(SubjectErasure.objects.filter(digest=subject_digest(tenant_id, subject)), tenant_id):
        yield {"kind": "erasure", "erased_at": record.erased_at.isoformat(), "counts": record.counts}


def _payloads(tenant_id: int, page: Iterable[Line], told: set[str]) -> Iterator[Line]:
    """The payloads that these lines name, each once in an export."""
    named = {str(line["payload"]) for line in page if line.get("payload")} - told
    told |= named
    with tenant_scope(tenant_id):
        found = load_payloads(tenant_id, map(bytes.fromhex, named))
    for address, body in found.items():
        yield {"kind": "payload", "id": address.hex(), "body": body}
