"""What broadcasts hold about a subject: erased, and exported."""

from collections.abc import Iterator

from deliveries.broadcasts.standing import targets_of_subject
from deliveries.broadcasts.targets import said_of, seal
from deliveries.models import Broadcast, BroadcastChunk
from signals_app.subjects.registry import Erasure, Line, SubjectHolder
from tenants.scope import tenant_scope


class BroadcastHolder(SubjectHolder):
    """The subject's place among the targets. It stays, under the pseudonym; what was said of it does not."""

    def erase(self, erasure: Erasure) -> None:
        """A broadcast that has not come to the subject yet skips it. Chunks are locked before recipients are."""
        mine = BroadcastChunk.objects.filter(tenant_id=erasure.tenant_id, subjects__contains=[erasure.subject])
        cursors = dict(Broadcast.objects.filter(tenant_id=erasure.tenant_id).values_list("id", "cursor"))
        for chunk in mine.order_by("id").select_for_update(no_key=True):
            said, places = said_of(chunk), [i for i, one in enumerate(chunk.subjects) if one == erasure.subject]
            was_sealed = chunk.sealed is not None
            for place in places:
                chunk.subjects[place], said[place] = erasure.pseudonym, {}
                if chunk.first + place >= cursors[chunk.broadcast_id]:
                    chunk.skipped.setdefault(str(place), "erased")
            if was_sealed:
                seal(chunk, said)
            chunk.save(update_fields=["subjects", "sealed", "skipped"])
            erasure.count("broadcast_targets", len(places))

    def export(self, tenant_id: int, subject: str) -> Iterator[Line]:
        """A line for each broadcast that names the subject, oldest first."""
        with tenant_scope(tenant_id):
            named = BroadcastChunk.objects.filter(tenant_id=tenant_id, subjects__contains=[subject])
            ids = sorted(set(named.values_list("broadcast_id", flat=True)))
            for broadcast in Broadcast.objects.filter(tenant_id=tenant_id, id__in=ids).order_by("id"):
                for state in targets_of_subject(broadcast, subject):
                    yield {
                        "kind": "broadcast_target",
                        "broadcast_id": str(broadcast.public_id),
                        "workflow": broadcast.definition_key,
                        "outcome": state.outcome,
                        "reason": state.reason,
                        "run_id": str(state.run) if state.run else None,
                        "created_at": broadcast.created_at.isoformat(),
                    }
