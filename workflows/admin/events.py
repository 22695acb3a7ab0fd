"""Events: what subscribers are told, how each try went, and sending one again."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from chimeway_py.errors import ChimewayError
from tenants.admin import words
from tenants.admin.actions import ReasonedAction
from tenants.admin.filters import TenantFilter, question_filter
from tenants.admin.pages import Button, Page, PageAdmin, Section
from tenants.admin.paging import ref_of
from tenants.services.operators import Act
from workflows.events.replay import resend_event
from workflows.models import Event, EventAttempt, EventDispatch

MOST_SHOWN = 50

Standing = question_filter(
    "standing",
    "standing",
    [
        ("owed", "owed to somebody", lambda rows: rows.filter(dispatches__due_at__isnull=False).distinct()),
        ("exhausted", "given up for somebody", lambda rows: rows.filter(dispatches__status="exhausted").distinct()),
    ],
)


class ResendEvents(ReasonedAction):
    """Sends events again to the subscriptions that they were owed to."""

    name, verb = "resend", "Resend"

    def forecast(self, row: Event) -> str:
        keys = ", ".join(_receivers(row)) or "nobody"
        return f"It is sent again, under its old id, to {keys}."

    def carry_out(self, request: HttpRequest, tenant_id: int, rows: Sequence[Event], reason: str) -> Iterable[Act]:
        for row in rows:
            for key in _receivers(row):
                try:
                    resend_event(tenant_id=tenant_id, event=row.public_id, key=key)
                except ChimewayError as error:
                    yield Act("event", ref_of(row), f"{key}: {error.message}")
                else:
                    yield Act("event", ref_of(row))


@admin.register(Event)
class EventAdmin(PageAdmin):
    """Events, to read and to send again."""

    list_display = ["shown_id", "tenant", "type", "run", "happened"]
    list_filter = [Standing, TenantFilter]
    search_fields = ["public_id"]
    search_help_text = "The id of an event (its webhook-id) or of a run"
    actions = [ResendEvents()]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            wanted = UUID(term)
        except ValueError:
            return queryset.filter(type=term), False
        return queryset.filter(Q(public_id=wanted) | Q(run_public_id=wanted)), False

    @admin.display(description="Event")
    def shown_id(self, row: Event) -> str:
        return words.short(row.public_id)

    @admin.display(description="Run")
    def run(self, row: Event) -> str:
        return words.short(row.run_public_id) if row.run_public_id else "–"

    @admin.display(description="Happened")
    def happened(self, row: Event) -> str:
        return words.ago(row.occurred_at)

    def page(self, request: HttpRequest, row: Event) -> Page:
        facts = [("Id", row.public_id), ("Happened", words.moment(row.occurred_at))]
        facts += [(name.replace("_", " ").capitalize(), value) for name, value in row.data.items()]
        return Page(
            title=row.type,
            facts=facts,
            buttons=[Button("Resend", action="resend")],
            sections=[_owed(row), _tries(row)],
        )


def _receivers(row: Event) -> list[str]:
    found = EventDispatch.objects.filter(tenant_id=row.tenant_id, event=row)
    return list(found.order_by("id").values_list("subscription__key", flat=True))


def _owed(row: Event) -> Section:
    found = EventDispatch.objects.filter(tenant_id=row.tenant_id, event=row).select_related("subscription")
    rows = [
        [
            words.link(one.subscription, one.subscription.key),
            words.badge(one.status),
            words.moment(one.due_at),
            words.moment(one.settled_at),
        ]
        for one in found.order_by("id")[:MOST_SHOWN]
    ]
    return Section("To whom", ["Subscription", "Status", "Due", "Settled"], rows, "Nobody that is on wanted it.")


def _tries(row: Event) -> Section:
    found = EventAttempt.objects.filter(tenant_id=row.tenant_id, dispatch__event=row)
    rows = [
        [
            one.dispatch.subscription.key,
            one.number,
            one.error or one.status_code,
            words.moment(one.started_at),
            "–" if one.duration_ms is None else f"{one.duration_ms} ms",
        ]
        for one in found.select_related("dispatch__subscription").order_by("-id")[:MOST_SHOWN]
    ]
    return Section("Tries", ["Subscription", "Number", "Answer", "Started", "Took"], rows, "None yet.")
