"""Lists that stay fast at a million rows: nothing counts further than a person pages."""

from functools import cached_property
from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.urls import reverse

COUNTED_AT_MOST = 10_000


class CappedPaginator(Paginator):  # type: ignore[type-arg]  # not subscriptable when it runs
    """Counts to 10,000 and stops. Whoever needs a row further down narrows the list with a filter."""

    @cached_property
    def count(self) -> int:
        """How many rows, or 10,000 if there are more."""
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return rows.order_by()[:COUNTED_AT_MOST].count()


class PublicIdChangeList(ChangeList):
    """Links to objects by their public id."""

    def url_for_result(self, result: Any) -> str:
        """The page of one row."""
        return page_of(result)


def ref_of(row: Any) -> str:
    """How addresses and the record of operators name a row: by public id, or by key where it has none."""
    return str(getattr(row, "public_id", None) or row.pk)


def page_of(row: Any) -> str:
    """The address of a row's page in the admin."""
    opts = row._meta
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[ref_of(row)])
