"""REST: the inbox of a subject, and marks on its items."""

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers
from chimeway_py.api.paging import check_query
from chimeway_py.errors import Invalid, fault
from deliveries.api.serializers import CountsSerializer, InboxItemSerializer, InboxSerializer
from deliveries.api.subscribers import SubscriberView
from deliveries.models import InboxItem
from deliveries.querysets import InboxItemQuerySet
from deliveries.services import Mark, mark_item, unread_counts
from tenants.models.api_key import Scope

SHOWS = ("current", "unread", "archived", "all")


class InboxView(SubscriberView):
    """Items of a subject, newest first."""

    scopes = {"GET": Scope.INBOX_READ}
    filters = ("show",)

    @extend_schema(
        operation_id="inbox_list",
        summary="A subject's inbox",
        parameters=[
            OpenApiParameter("show", str, enum=SHOWS, default="current", description="current: not archived."),
            *PAGE_PARAMETERS,
        ],
        responses=answers(InboxSerializer, 400),
        tags=["Inbox"],
    )
    def get(self, request: Request, subject: str) -> Response:
        """Items and the numbers of the badge. A subject that never got anything has an empty inbox."""
        mine = InboxItem.objects.in_inbox(self.tenant_id, subject)
        page = self.page(shown(mine, request.query_params.get("show", "current")), InboxItemSerializer)
        page.data |= unread_counts(tenant_id=self.tenant_id, subject=subject)
        return page


class CountsView(SubscriberView):
    """The numbers of the badge."""

    scopes = {"GET": Scope.INBOX_READ}

    @extend_schema(
        operation_id="inbox_counts",
        summary="How many items are unread and unseen",
        responses=answers(CountsSerializer, 400),
        tags=["Inbox"],
    )
    def get(self, request: Request, subject: str) -> Response:
        """The same numbers as on a page of the list, for a badge that shows nothing else."""
        check_query(request, ())
        return Response(unread_counts(tenant_id=self.tenant_id, subject=subject))


class MarkView(SubscriberView):
    """Marks an item; each subclass says with what."""

    scopes = {"POST": Scope.INBOX_WRITE}
    mark: ClassVar[Mark]

    def post(self, request: Request, subject: str, item: UUID) -> Response:
        """The item as it is now. The first time, the signal is accepted in the same transaction."""
        marked = mark_item(tenant_id=self.tenant_id, subject=subject, item=item, mark=self.mark)
        return Response(InboxItemSerializer(marked).data)


def _described(mark: Mark, verb: str) -> Any:
    """How OpenAPI tells of one mark."""
    return extend_schema(
        operation_id=f"inbox_{verb}",
        summary=f"Mark an item as {mark}",
        description=f"Sets `{mark}_at` once and sends the signal `notification.{mark}` once; again, nothing happens.",
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses=answers(InboxItemSerializer, 404),
        tags=["Inbox"],
    )


@extend_schema_view(post=_described(Mark.SEEN, "seen"))
class SeenView(MarkView):
    """The item was on a screen."""

    mark = Mark.SEEN


@extend_schema_view(post=_described(Mark.READ, "read"))
class ReadView(MarkView):
    """The item was read."""

    mark = Mark.READ


@extend_schema_view(post=_described(Mark.ARCHIVED, "archive"))
class ArchiveView(MarkView):
    """The item was put away."""

    mark = Mark.ARCHIVED


def shown(items: InboxItemQuerySet, show: str) -> InboxItemQuerySet:
    """The items that `show` asks for. Raises `Invalid`."""
    match show:
        case "current":
            return items.current()
        case "unread":
            return items.unread()
        case "archived":
            return items.filter(archived_at__isnull=False)
        case "all":
            return items
    raise Invalid("The query is not valid.", [fault("/show", "bad_show", f"One of {', '.join(SHOWS)}.")])
