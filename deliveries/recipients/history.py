"""What was sent to somebody or withheld: messages, and visits of throttles and digests, in one order of time."""

from django.db.models import QuerySet

from chimeway_py.api.cursors import NotACursor, open_places, seal_places
from chimeway_py.api.merging import Listed, merged
from deliveries.models import Delivery
from workflows.models import StepRun
from workflows.withheld.reading import Withheld, described, withheld_from

Row = Delivery | StepRun


def in_order_of_time(messages: QuerySet[Delivery], visits: QuerySet[StepRun]) -> list[Listed]:
    """Both as one list. Each is read by an index of its own, as far as a page needs it."""
    return [Listed(messages, "planned_at"), Listed(visits, "created_at")]


def page_of_history(tenant_id: int, subject: str, before: str, most: int) -> tuple[list[Delivery | Withheld], str]:
    """So many entries before that place, and the place before them; empty when there are no more.

    A place that means nothing is the newest. Needs the tenant's scope.
    """
    name = f"history of {tenant_id}/{subject}"
    try:
        after = open_places(before, 2, of=name) if before else []
    except NotACursor:
        after = []
    found, places = merged(_history(tenant_id, subject), most, after)
    return _described(tenant_id, found), seal_places(places, of=name) if places is not None else ""


def latest(tenant_id: int, subject: str, most: int) -> list[Delivery | Withheld]:
    """The newest entries. Needs the tenant's scope."""
    return _described(tenant_id, merged(_history(tenant_id, subject), most)[0])


def _history(tenant_id: int, subject: str) -> list[Listed]:
    messages = Delivery.objects.for_tenant(tenant_id).filter(subject=subject).select_related("run", "step_run")
    return in_order_of_time(messages, withheld_from(tenant_id, subject))


def _described(tenant_id: int, rows: list[Row]) -> list[Delivery | Withheld]:
    visits = {one.row.pk: one for one in described(tenant_id, [row for row in rows if isinstance(row, StepRun)])}
    return [visits[row.pk] if isinstance(row, StepRun) else row for row in rows]
