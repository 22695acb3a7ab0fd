"""What digests hold about a subject besides its runs: their names, and what others went on with."""

from collections.abc import Iterator

from signals_app.subjects.paging import in_pages
from signals_app.subjects.registry import Erasure, Line, SubjectHolder
from workflows.digests.closing import output_of
from workflows.models import Answer, Digest, DigestItem, DigestStatus
from workflows.store.answers import answer_name, store_answer

REASON = "subject_erased"


class DigestHolder(SubjectHolder):
    """Comes after the runs: the items of the subject's live runs have left, and no item has its payload any more."""

    def erase(self, erasure: Erasure) -> None:
        """Digests of the subject name the pseudonym. Runs of others forget what the subject brought to theirs."""
        tenant_id = erasure.tenant_id
        items = DigestItem.objects.filter(tenant_id=tenant_id, subject=erasure.subject)
        shared = set(items.filter(digest__subject="", digest__tenant_id=tenant_id).values_list("digest_id", flat=True))
        erasure.count("digest_items", items.update(subject=erasure.pseudonym))
        own = Digest.objects.filter(tenant_id=tenant_id, subject=erasure.subject)
        erasure.addresses |= {bytes(sha) for sha in own.values_list("name_sha", flat=True) if bytes(sha)}
        over = {"status": DigestStatus.CLOSED, "closed_at": erasure.now, "due_at": None}
        own.exclude(status=DigestStatus.CLOSED).filter(count=0).update(**over)
        own.filter(status=DigestStatus.CLOSED).update(subject=erasure.pseudonym, name_sha=b"")
        for digest in Digest.objects.filter(tenant_id=tenant_id, id__in=shared, status=DigestStatus.CLOSED):
            _forget(digest, erasure)

    def export(self, tenant_id: int, subject: str) -> Iterator[Line]:
        """Each item that a run of the subject brought."""
        rows = DigestItem.objects.filter(subject=subject).select_related("digest", "run")
        for item in in_pages(rows, tenant_id):
            payload = bytes(item.payload_sha).hex() if item.payload_sha is not None else None
            said = {"digest": str(item.digest.public_id), "position": item.position, "run_id": str(item.run.public_id)}
            yield {"kind": "digest_item", **said, "joined_at": item.joined_at.isoformat(), "payload": payload}


def _forget(digest: Digest, erasure: Erasure) -> None:
    """Write what the leader collected once more, without what is erased."""
    if digest.leader_run_id is None:
        return
    rows = Answer.objects.filter(
        tenant_id=digest.tenant_id, run_id=digest.leader_run_id, name=answer_name({"key": digest.step})
    )
    for answer in rows.exclude(payload_sha=None):
        erasure.addresses.add(bytes(answer.payload_sha or b""))
        output = output_of(digest.tenant_id, digest.pk, digest.count, str(digest.public_id))
        stored = store_answer(digest.tenant_id, answer.name, output)
        Answer.objects.filter(tenant_id=digest.tenant_id, pk=answer.pk).update(payload_sha=stored.payload)
