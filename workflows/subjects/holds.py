"""What legal holds hold about a subject, and that nothing which is held is erased."""

from collections.abc import Iterator

from django.db.models import QuerySet

from signals_app.subjects.paging import in_pages
from signals_app.subjects.registry import Erasure, Line, SubjectHolder
from tenants.sql import fetch
from workflows.models import HoldOn, LegalHold
from workflows.retention.errors import SubjectHeld
from workflows.retention.holds import RUN_IS_HELD, take_turns

_HELD_RUN = f"SELECT 1 FROM workflows_run r WHERE r.tenant_id = %s AND r.subject = %s AND {RUN_IS_HELD} LIMIT 1"  # noqa: S608


class HoldHolder(SubjectHolder):
    """A hold outweighs a wish to be forgotten. Once it is released, it forgets too."""

    def find(self, erasure: Erasure) -> None:
        """Raises `SubjectHeld`, before anything is locked or erased, when a hold is on the subject or a run of it."""
        take_turns(erasure.tenant_id)
        on_subject = _about(erasure.tenant_id, erasure.subject).filter(released_at=None).exists()
        if on_subject or fetch(_HELD_RUN, [erasure.tenant_id, erasure.subject]):
            raise SubjectHeld

    def erase(self, erasure: Erasure) -> None:
        """Holds that were released name the pseudonym."""
        released = _about(erasure.tenant_id, erasure.subject).update(value=erasure.pseudonym)
        erasure.count("holds", released)

    def export(self, tenant_id: int, subject: str) -> Iterator[Line]:
        """Each hold that was ever on the subject."""
        for hold in in_pages(_about(tenant_id, subject), tenant_id):
            times = {
                "placed_at": hold.placed_at.isoformat(),
                "released_at": hold.released_at and hold.released_at.isoformat(),
            }
            yield {"kind": "hold", "id": str(hold.public_id), "reason": hold.reason, **times}


def _about(tenant_id: int, subject: str) -> QuerySet[LegalHold]:
    return LegalHold.objects.filter(tenant_id=tenant_id, on=HoldOn.SUBJECT, value=subject)
