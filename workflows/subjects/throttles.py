"""What throttles count of a subject."""

from collections.abc import Iterator

from signals_app.subjects.paging import in_pages
from signals_app.subjects.registry import Erasure, Line, SubjectHolder
from workflows.models import ThrottlePass


class ThrottleHolder(SubjectHolder):
    """Passes that are counted under the subject. Those counted for everybody name runs only, and go on counting."""

    def erase(self, erasure: Erasure) -> None:
        """They are deleted."""
        mine = ThrottlePass.objects.filter(tenant_id=erasure.tenant_id, subject=erasure.subject)
        erasure.addresses |= {bytes(sha) for sha in mine.values_list("name_sha", flat=True) if bytes(sha)}
        erasure.count("throttle_passes", mine.delete()[0])

    def export(self, tenant_id: int, subject: str) -> Iterator[Line]:
        """Each pass that counts, or has its turn."""
        for row in in_pages(ThrottlePass.objects.filter(subject=subject), tenant_id):
            said = {"workflow": row.definition_key, "step": row.step, "passed": row.passed}
            payload = bytes(row.name_sha).hex() if bytes(row.name_sha) else None
            yield {"kind": "throttle_pass", **said, "at": row.at.isoformat(), "payload": payload}
