"""Erasing a subject: what is held about it becomes unreadable in one transaction. The traces of its runs still verify.

Bodies are deleted; rows that prove what happened stay, with a pseudonym for the subject and without values. The
pseudonym is a digest under the tenant's own key: asking again finds the record, and nobody else learns whom it means.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from chimeway_py.errors import Invalid, fault
from chimeway_py.text import is_storable
from signals_app.models import SubjectErasure
from signals_app.services.forgetting import forget_payloads
from signals_app.subjects.registry import Erasure, holders
from tenants.api.idempotency import forget_answers
from tenants.scope import tenant_scope
from tenants.subjects import subject_digest

PREFIX = "erased:"


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did, or did before. `in_flight` names attempts that may still arrive.

    `record` is the public id of the record; None when nothing was erased, in a dry run.
    """

    pseudonym: str
    erased_at: datetime
    counts: Mapping[str, int]
    is_repeated: bool = False
    in_flight: tuple[str, ...] = ()
    record: UUID | None = None


def erase_subject(
    *, tenant_id: int, subject: str, cause: str, cause_ref: str, reason: str = "", dry_run: bool = False
) -> Erased:
    """Erase what is held about a subject. Live runs are cancelled first. Joins the caller's transaction.

    When nothing is left, the answer is that of the last time. A dry run does it all, counts, and takes it back. What
    arrives about the subject afterwards is kept as ever. `cause` is `api` or `operator`. Raises `Invalid`.
    """
    check_subject(subject)
    if not is_storable(reason, 200):
        raise Invalid("The reason is not valid.", [fault("/reason", "bad_reason", "At most 200 characters.")])
    with tenant_scope(tenant_id) as scope:
        digest = subject_digest(tenant_id, subject)
        erasure = Erasure(tenant_id, subject, pseudonym_of(digest), cause, cause_ref, scope.now)
        with transaction.atomic():
            _erase(erasure)
            transaction.set_rollback(dry_run)
        if dry_run:
            return _answer(erasure)
        return _recorded(erasure, digest, reason)


def check_subject(subject: str) -> None:
    """Raises `Invalid` unless a row could name it, or for what stands for one that was erased."""
    if not subject or not is_storable(subject, 200) or subject.startswith(PREFIX):
        raise Invalid("The subject is not valid.", [fault("/subject", "bad_subject", "1 to 200 characters.")])


def pseudonym_of(digest: bytes) -> str:
    """What rows name instead of the subject."""
    return PREFIX + digest.hex()[:32]


def _erase(erasure: Erasure) -> None:
    for holder in holders():
        holder.find(erasure)
    for holder in holders():
        holder.erase(erasure)
    erasure.count("payloads", forget_payloads(tenant_id=erasure.tenant_id, addresses=erasure.addresses))
    erasure.count("answers", forget_answers(tenant_id=erasure.tenant_id, subject=erasure.subject))


def _recorded(erasure: Erasure, digest: bytes, reason: str) -> Erased:
    """Write the record, unless there was nothing and an earlier record says what was done."""
    before = SubjectErasure.objects.filter(tenant_id=erasure.tenant_id, digest=digest).order_by("id").last()
    if before is not None and not any(erasure.counts.values()):
        return Erased(erasure.pseudonym, before.erased_at, before.counts, is_repeated=True, record=before.public_id)
    record = SubjectErasure.objects.create(
        tenant_id=erasure.tenant_id,
        digest=digest,
        cause=erasure.cause,
        cause_ref=erasure.cause_ref,
        reason=reason,
        counts=erasure.counts,
        erased_at=erasure.now,
    )
    return _answer(erasure, record.public_id)


def _answer(erasure: Erasure, record: UUID | None = None) -> Erased:
    in_flight = tuple(erasure.in_flight)
    return Erased(erasure.pseudonym, erasure.now, dict(erasure.counts), in_flight=in_flight, record=record)
