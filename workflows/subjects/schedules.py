"""What schedules hold about a subject."""

from collections.abc import Iterator

from signals_app.subjects.paging import in_pages
from signals_app.subjects.registry import Erasure, Line, SubjectHolder
from workflows.models.schedule import Schedule


class ScheduleHolder(SubjectHolder):
    """Schedules that start runs about the subject. They come before the runs, so that none is started meanwhile."""

    def erase(self, erasure: Erasure) -> None:
        """The subject leaves their lists. A schedule that was for nobody else is off, and forgets its data."""
        mine = Schedule.objects.filter(tenant_id=erasure.tenant_id, subjects__contains=[erasure.subject])
        rows = list(mine.order_by("id").select_for_update(no_key=True))
        for row in rows:
            row.subjects = [subject for subject in row.subjects if subject != erasure.subject]
            if not row.subjects:
                _empty(row, erasure)
        fields = ["subjects", "correlation", "data_sha", "enabled", "next_at", "updated_at"]
        Schedule.objects.bulk_update(rows, fields)
        erasure.count("schedules", len(rows))

    def export(self, tenant_id: int, subject: str) -> Iterator[Line]:
        """Each schedule with the subject on its list; nobody else on it is told."""
        for row in in_pages(Schedule.objects.filter(subjects__contains=[subject]), tenant_id):
            payload = bytes(row.data_sha).hex() if row.data_sha is not None else None
            said = {"workflow": row.definition_key, "expression": row.expression, "correlation": row.correlation}
            yield {"kind": "schedule", "key": row.key, **said, "payload": payload}


def _empty(row: Schedule, erasure: Erasure) -> None:
    if row.data_sha is not None:
        erasure.addresses.add(bytes(row.data_sha))
    row.correlation, row.data_sha = {}, None
    row.enabled, row.next_at, row.updated_at = False, None, erasure.now
