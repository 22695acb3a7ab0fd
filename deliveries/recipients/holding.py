"""What is held about a recipient: erased, and exported."""

from collections.abc import Iterator

from deliveries.models import Preference, Recipient, Release
from signals_app.subjects.paging import in_pages
from signals_app.subjects.registry import Erasure, Line, SubjectHolder


class RecipientHolder(SubjectHolder):
    """The recipient and their preferences. Both rows go: nothing else names them."""

    def erase(self, erasure: Erasure) -> None:
        """Nothing is left, of a refusal neither. Who comes back under the same id is somebody new."""
        rules = Preference.objects.filter(tenant_id=erasure.tenant_id, subject=erasure.subject)
        erasure.count("preferences", rules.delete()[0])
        Release.objects.filter(tenant_id=erasure.tenant_id, subject=erasure.subject).delete()
        mine = Recipient.objects.filter(tenant_id=erasure.tenant_id, external_id=erasure.subject)
        erasure.count("recipients", mine.delete()[0])

    def export(self, tenant_id: int, subject: str) -> Iterator[Line]:
        """The recipient in the clear, then each rule."""
        for row in in_pages(Recipient.objects.filter(external_id=subject), tenant_id):
            own = {
                "zone": row.zone,
                "locale": row.locale,
                "quiet_hours": row.quiet_hours,
                "created_at": row.created_at.isoformat(),
            }
            yield {"kind": "recipient", "id": row.external_id, **row.person, **own}
        for rule in in_pages(Preference.objects.filter(subject=subject), tenant_id):
            about = {name: getattr(rule, name) for name in ("category", "workflow", "channel", "allowed", "when")}
            yield {"kind": "preference", **about, "updated_at": rule.updated_at.isoformat()}
