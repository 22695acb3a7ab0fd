"""Pages by cursor: they neither skip nor repeat while rows are added, and cost the same at any depth."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.cursors import NotACursor, open_cursor, seal_cursor
from chimeway_py.errors import Invalid, fault

if TYPE_CHECKING:  # REST framework loads this module while it loads its views
    from rest_framework.views import APIView

PAGE, MAX_PAGE = 50, 200


class CursorPages(BasePagination):
    """Pages of a queryset by one growing whole-number column: `view.page_by`, by default `-id` (newest first).

    Query: `limit` (0 to 200; 0 is an empty page) and `cursor` (from `next` of the page before). Any other name in the
    query must be in `view.filters`. Whatever else is asked is `Invalid`.
    """

    def paginate_queryset(self, queryset: Any, request: Request, view: "APIView | None" = None) -> list[Any]:
        """The rows of the page that the request asks for. Raises `Invalid`."""
        check_query(request, getattr(view, "filters", ()))
        order = getattr(view, "page_by", "-id")
        column, newest_first = order.removeprefix("-"), order.startswith("-")
        this_list = f"{order} {request.path}"
        limit, after = read_limit(request), read_cursor(request, this_list)
        if after is not None:
            queryset = queryset.filter(**{f"{column}__{'lt' if newest_first else 'gt'}": after})
        rows = list(queryset.order_by(order)[: limit + 1]) if limit else []
        more = len(rows) > limit > 0
        self.next_cursor = seal_cursor(getattr(rows[limit - 1], column), of=this_list) if more else None
        return rows[:limit]

    def get_paginated_response(self, data: Any) -> Response:
        """The page: its items, and the cursor of the next one or null."""
        return Response({"items": data, "next": self.next_cursor})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The page in OpenAPI."""
        following = {"type": "string", "nullable": True, "description": "Cursor of the next page; null on the last."}
        items = {"type": "array", "items": schema.get("items", schema)}
        return {"type": "object", "required": ["items", "next"], "properties": {"items": items, "next": following}}

    def get_schema_operation_parameters(self, view: "APIView") -> list[dict[str, Any]]:
        """The query parameters in OpenAPI."""
        limit = {"type": "integer", "minimum": 0, "maximum": MAX_PAGE, "default": PAGE}
        return [
            {"name": "limit", "in": "query", "schema": limit, "description": "Rows of a page; 0 gives an empty one."},
            {
                "name": "cursor",
                "in": "query",
                "schema": {"type": "string"},
                "description": "`next` of the page before.",
            },
        ]


def check_query(request: Request, known: Collection[str]) -> None:
    """Refuse a query with names that mean nothing here, or one name twice. Raises `Invalid`."""
    names = {"limit", "cursor", *known}
    told = f"No such filter. Known here: {', '.join(sorted(names))}."
    faults = [fault(f"/{name}", "unknown_filter", told) for name in request.query_params if name not in names]
    faults += [
        fault(f"/{name}", "repeated", "Give it once.")
        for name, values in request.query_params.lists()
        if name in names and len(values) > 1
    ]
    faults += [
        fault(f"/{name}", "nul", "Text must not contain NUL.")
        for name, value in request.query_params.items()
        if "\0" in str(value)
    ]
    if faults:
        raise Invalid("The query is not valid.", faults)


def closed_faults(query: Mapping[str, str], words: Mapping[str, Collection[str]]) -> list[dict[str, str]]:
    """The faults of those members of a query that can be one of a few words; `words` has them by name."""
    return [
        fault(f"/{name}", f"unknown_{name}", f"One of {', '.join(known)}.")
        for name, known in words.items()
        if name in query and query[name] not in known
    ]


def read_limit(request: Request) -> int:
    """How many rows the request asks for. Raises `Invalid`."""
    text = request.query_params.get("limit", str(PAGE))
    if not (text.isascii() and text.isdigit() and len(text) < 4 and int(text) <= MAX_PAGE):
        raise Invalid(
            "The query is not valid.", [fault("/limit", "bad_limit", f"A whole number from 0 to {MAX_PAGE}.")]
        )
    return int(text)


def read_cursor(request: Request, of: str) -> int | None:
    """The value after which the page starts, or None for the first page. Raises `Invalid`."""
    text = request.query_params.get("cursor", "")
    try:
        return open_cursor(text, of=of) if text else None
    except NotACursor:
        raise bad_cursor() from None


def bad_cursor() -> Invalid:
    """What is said of a cursor that was not sealed for this list."""
    return Invalid("The query is not valid.", [fault("/cursor", "bad_cursor", "Not a cursor of this list.")])
