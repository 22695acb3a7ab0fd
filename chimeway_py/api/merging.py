"""Pages of several lists that are read as one, in order of time, each row of each once."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request

from chimeway_py.api.cursors import NotACursor, open_places, seal_places
from chimeway_py.api.paging import bad_cursor, read_limit

START = 2**63 - 1
"""The place before the newest row of a list."""


class Listed:
    """A list, newest first by id, and the column that says when each row was."""

    def __init__(self, rows: QuerySet[Any], at: str) -> None:
        self.rows, self.at = rows, at

    def head(self, after: int, number: int) -> list[Any]:
        """So many rows that come after that place."""
        rows = self.rows if after == START else self.rows.filter(id__lt=after)
        return list(rows.order_by("-id")[:number])


def merged(lists: Sequence[Listed], limit: int, after: Sequence[int] = ()) -> tuple[list[Any], list[int] | None]:
    """At most `limit` rows of all lists, newest first, and the places after them; None when nothing is left.

    Each list keeps its own order and its own place, so rows that are added meanwhile make no page skip or repeat one.
    """
    places = list(after) or [START] * len(lists)
    heads = [one.head(place, limit + 1) for one, place in zip(lists, places, strict=True)] if limit else []
    found: list[Any] = []
    while any(heads):
        if len(found) == limit:
            return found, places
        left = [number for number, head in enumerate(heads) if head]
        newest = max(left, key=lambda number: getattr(heads[number][0], lists[number].at))
        row = heads[newest].pop(0)
        places[newest] = row.pk
        found.append(row)
    return found, None


def merged_page(request: Request, lists: Sequence[Listed]) -> tuple[list[Any], str | None]:
    """The rows that the request asks for by `limit` and `cursor`, and the cursor of what follows. Raises `Invalid`."""
    this_list = f"{len(lists)} {request.path}"
    limit, text = read_limit(request), request.query_params.get("cursor", "")
    try:
        after = open_places(text, len(lists), of=this_list) if text else []
    except NotACursor:
        raise bad_cursor() from None
    rows, places = merged(lists, limit, after)
    return rows, seal_places(places, of=this_list) if places is not None else None
