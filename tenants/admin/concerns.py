"""What the home page watches, read for the tenants in scope."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet

from chimeway_py.admin_site import COUNTED_AT_MOST, Concern
from tenants.admin import words

GRACE = timedelta(seconds=5)  # the sweep comes round every second: younger than this is not late


def concern(
    *, label: str, hint: str, url_name: str, query: str, rows: Callable[[], QuerySet[Any]], since: str = ""
) -> Concern:
    """A concern from the queryset of the rows that are in a bad way. `since` is the column that dates them."""

    def oldest() -> str:
        when = rows().order_by(since).values_list(since, flat=True).first()
        return f"the oldest by {words.length(words.now() - when)}" if when is not None else ""

    return Concern(
        label=label,
        hint=hint,
        url_name=url_name,
        query=query,
        tenants=lambda: rows().order_by().values_list("tenant__slug", flat=True)[: COUNTED_AT_MOST + 1],
        oldest=oldest if since else None,
    )
