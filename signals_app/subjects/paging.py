"""Reading rows in pages, each in a scope of its own, so that a slow reader holds no transaction open."""

from collections.abc import Iterator
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from tenants.scope import tenant_scope

PAGE = 500
M = TypeVar("M", bound=Model)


def in_pages(rows: QuerySet[M], tenant_id: int) -> Iterator[M]:
    """The tenant's rows in order of their ids, `PAGE` in memory. Rows that come meanwhile may be among them."""
    after: Any = 0
    while True:
        with tenant_scope(tenant_id):
            page = list(rows.filter(tenant_id=tenant_id, pk__gt=after).order_by("pk")[:PAGE])
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].pk
