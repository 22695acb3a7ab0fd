"""What signals hold about a subject."""

from collections.abc import Iterable, Iterator

from django.db import connection

from signals_app.models import Signal, SignalKey
from signals_app.subjects.paging import in_pages
from signals_app.subjects.registry import Erasure, Line, SubjectHolder

_LOCK = """
SELECT id, payload_sha FROM signals_app_signal WHERE tenant_id = %s AND (subject = %s OR id = ANY (%s::bigint[]))
 ORDER BY id FOR NO KEY UPDATE
"""
# The digest of the body stays, so that the same signal is a duplicate for ever; it is keyed, and tells nothing.
_ERASE = """
UPDATE signals_app_signal
   SET subject = CASE subject WHEN '' THEN '' ELSE %s END, correlation = '{}', payload_sha = NULL,
       routed_at = coalesce(routed_at, %s), verdict = coalesce(verdict, 'expired'),
       verdict_reason = CASE WHEN routed_at IS NULL THEN 'subject_erased' ELSE verdict_reason END
 WHERE tenant_id = %s AND id = ANY (%s::bigint[])
"""


class SignalHolder(SubjectHolder):
    """Signals with the subject, and those without one that its runs were given."""

    def erase(self, erasure: Erasure) -> None:
        """Bodies, correlation values and keys go. A signal that nobody routed yet moves no run any more."""
        erase_signals(erasure, erasure.signals)

    def export(self, tenant_id: int, subject: str) -> Iterator[Line]:
        """Signals with the subject. Those that only its runs were given are told with the runs."""
        yield from map(signal_line, in_pages(Signal.objects.filter(subject=subject), tenant_id))


def erase_signals(erasure: Erasure, others: Iterable[int]) -> None:
    """Erase the signals that name the subject, and others by their ids."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [erasure.tenant_id, erasure.subject, sorted(others)])
        found = dict(cursor.fetchall())
        cursor.execute(_ERASE, [erasure.pseudonym, erasure.now, erasure.tenant_id, list(found)])
    erasure.addresses |= {bytes(sha) for sha in found.values() if sha is not None}
    SignalKey.objects.filter(tenant_id=erasure.tenant_id, signal_id__in=found).delete()
    erasure.count("signals", len(found))


def signal_line(signal: Signal) -> Line:
    """One signal."""
    return {
        "kind": "signal",
        "id": str(signal.public_id),
        "name": signal.name,
        "source": signal.source,
        "external_id": signal.external_id,
        "correlation": signal.correlation,
        "occurred_at": signal.occurred_at.isoformat(),
        "received_at": signal.received_at.isoformat(),
        "verdict": signal.verdict,
        "payload": bytes(signal.payload_sha).hex() if signal.payload_sha is not None else None,
    }
