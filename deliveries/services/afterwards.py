"""What became of a run's messages that its trace cannot tell: reports after its end, and resends."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from chimeway_py.text import utc_minute
from deliveries.models import Delivery
from workflows.explain.afterwards import Afterwards

MOST = 200  # messages of one run, the newest
_NEWS = {
    "confirmed_at": ("delivered", "was reported as delivered"),
    "failed_at": ("failed", "was reported as failed"),
    "bounced_at": ("bounced", "came back"),
    "complained_at": ("complained", "was complained about"),
}


def afterwards(tenant_id: int, run_id: int, finished_at: datetime | None) -> Sequence[Afterwards]:
    """News of its messages that came after the run's end, and messages that somebody sent again. One statement."""
    mine = Delivery.objects.for_tenant(tenant_id).filter(run_id=run_id).order_by("-id")[:MOST]
    return [told for one in mine for told in (*_news(one, finished_at), *_resent(one))]


def _news(one: Delivery, finished_at: datetime | None) -> Iterator[Afterwards]:
    for column, (what, said) in _NEWS.items():
        at = getattr(one, column)
        if at is not None and finished_at is not None and at > finished_at:
            yield _told(one, what, at, f"After its end, the message of “{one.step_key}” {said} at {utc_minute(at)}.")


def _resent(one: Delivery) -> Iterator[Afterwards]:
    """What a person asked for. What takes another's place says so in a history, and nobody asked for it."""
    if one.is_resent_by_hand:
        said = f"At {utc_minute(one.planned_at)} somebody had the message of “{one.step_key}” sent again: {one.status}."
        yield _told(one, "resent", one.planned_at, said)


def _told(one: Delivery, what: str, at: datetime, sentence: str) -> Afterwards:
    return Afterwards(what, one.step_key, one.visit, one.public_id, at, sentence)
