"""REST: marks on many items of an inbox."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, answers
from chimeway_py.api.serializers import StrictSerializer, read_input
from deliveries.api.subscribers import SubscriberView
from deliveries.services import Mark, mark_items
from deliveries.services.inbox import MOST_MARKED
from tenants.models.api_key import Scope


class BulkMarkSerializer(StrictSerializer):
    """Which items are marked: those named, or all that lack the mark."""

    items = serializers.ListField(
        child=serializers.UUIDField(), required=False, min_length=1, max_length=MOST_MARKED, help_text="All or none."
    )
    all = serializers.BooleanField(required=False, default=False, help_text="All that are not archived, newest first.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One of the two."""
        if bool(attrs.get("items")) == attrs["all"]:
            raise serializers.ValidationError("Give items, or all as true.", code="items_or_all")
        return attrs


class BulkMarkedSerializer(serializers.Serializer[Any]):
    """What was marked."""

    marked = serializers.IntegerField(help_text="Items that did not have the mark before; each sent its signal.")
    more = serializers.BooleanField(help_text=f"True when more than {MOST_MARKED} lacked the mark: ask again.")


class BulkMarkView(SubscriberView):
    """Marks many items; each subclass says with what."""

    scopes = {"POST": Scope.INBOX_WRITE}
    mark: ClassVar[Mark]

    def post(self, request: Request, subject: str) -> Response:
        """How many were marked. Repeating it marks nothing twice."""
        items = read_input(BulkMarkSerializer, request).get("items")
        marked = mark_items(tenant_id=self.tenant_id, subject=subject, mark=self.mark, items=items)
        return Response(BulkMarkedSerializer(marked).data)


def _described(mark: Mark, verb: str) -> Any:
    """How OpenAPI tells of one mark."""
    return extend_schema(
        operation_id=f"inbox_{verb}_many",
        summary=f"Mark many items as {mark}",
        description=f"Each item is marked once and sends `notification.{mark}` once.",
        parameters=[IDEMPOTENCY_KEY],
        request=BulkMarkSerializer,
        responses=answers(BulkMarkedSerializer, 400, 404),
        tags=["Inbox"],
    )


@extend_schema_view(post=_described(Mark.SEEN, "seen"))
class SeenManyView(BulkMarkView):
    """Items were on a screen."""

    mark = Mark.SEEN


@extend_schema_view(post=_described(Mark.READ, "read"))
class ReadManyView(BulkMarkView):
    """Items were read."""

    mark = Mark.READ


@extend_schema_view(post=_described(Mark.ARCHIVED, "archive"))
class ArchiveManyView(BulkMarkView):
    """Items were put away."""

    mark = Mark.ARCHIVED
