"""Addresses that are left alone: since when, why, and letting messages go there again."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from chimeway_py.errors import ChimewayError
from deliveries.models import Delivery, Recipient, Suppression
from deliveries.suppressions.writing import lift
from tenants.admin import words
from tenants.admin.actions import ReasonedAction
from tenants.admin.filters import TenantFilter, question_filter
from tenants.admin.pages import Button, Page, PageAdmin
from tenants.admin.paging import ref_of
from tenants.operator_scope import operator_of
from tenants.services.operators import Act

Counts = question_filter(
    "counts",
    "counts",
    [
        ("bounced", "came back", lambda rows: rows.filter(lifted_at__isnull=True, bounced_at__isnull=False)),
        ("complained", "complained", lambda rows: rows.filter(lifted_at__isnull=True, complained_at__isnull=False)),
        ("lifted", "lifted", lambda rows: rows.filter(lifted_at__isnull=False)),
    ],
)


class LiftSuppressions(ReasonedAction):
    """Lets messages go there again."""

    name, verb = "lift", "Lift"

    def forecast(self, row: Suppression) -> str:
        if row.lifted_at is not None:
            return "It was lifted before: nothing changes."
        return f"The next {row.channel} message there goes out. Another bounce or complaint counts again."

    def carry_out(self, request: HttpRequest, tenant_id: int, rows: Sequence[Any], reason: str) -> Iterable[Act]:
        by = f"operator {operator_of(request).username}"
        for row in rows:
            try:
                lift(tenant_id=tenant_id, suppression=row.public_id, reason=reason, by=by)
            except ChimewayError as error:
                yield Act("suppression", ref_of(row), error.message)
            else:
                yield Act("suppression", ref_of(row))


@admin.register(Suppression)
class SuppressionAdmin(PageAdmin):
    """To read and to lift. Addresses are masked here as they are stored."""

    list_display = ["shown_id", "tenant", "channel", "recipient_masked", "shown_word", "subject", "began", "lifted_at"]
    list_filter = [Counts, TenantFilter, "channel"]
    search_fields = ["=subject"]
    search_help_text = "A recipient's id, or a public id"
    actions = [LiftSuppressions()]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return (queryset.filter(_meant_by(term)) if term else queryset), False

    def page(self, request: HttpRequest, row: Suppression) -> Page:
        lifted = row.lifted_at is not None
        facts = [
            ("Channel", row.channel),
            ("Address", row.recipient_masked or "–"),
            ("Recipient", _recipient(row)),
            ("Came back", words.moment(row.bounced_at)),
            ("Complained", words.moment(row.complained_at)),
            ("Told", row.code or "–"),
            ("Provider", row.provider or "–"),
            ("Message", _message(row)),
            *([("Lifted", words.moment(row.lifted_at)), ("Lifted by", row.lifted_by)] if lifted else []),
            *([("Why it was lifted", row.lifted_why or "–")] if lifted else []),
            ("Public id", row.public_id),
        ]
        return Page(
            f"{row.channel} to {row.recipient_masked or 'somebody'}",
            lead=_lead(row),
            tone="calm" if lifted else "",
            facts=facts,
            buttons=[Button("Lift", action="lift", why_not="It was lifted before." if lifted else "")],
        )

    @admin.display(description="Suppression")
    def shown_id(self, row: Suppression) -> str:
        return words.short(row.public_id)

    @admin.display(description="Why")
    def shown_word(self, row: Suppression) -> SafeString:
        return words.badge(row.word)

    @admin.display(description="Since", ordering="created_at")
    def began(self, row: Suppression) -> str:
        return words.ago(row.since)


def _lead(row: Suppression) -> str:
    if row.lifted_at is not None:
        return "Lifted: messages go there."
    if row.bounced_at is not None:
        return "Nothing is sent there: a message came back."
    return "Only what is required is sent there: somebody complained about a message."


def _recipient(row: Suppression) -> Any:
    mine = Recipient.objects.filter(tenant_id=row.tenant_id, external_id=row.subject).defer("sealed")
    return words.link(found) if (found := mine.first()) is not None else row.subject or "–"


def _message(row: Suppression) -> Any:
    """A link, while it is kept."""
    if row.delivery is None:
        return "–"
    found = Delivery.objects.for_tenant(row.tenant_id).filter(public_id=row.delivery).first()
    return words.link(found, words.short(row.delivery)) if found is not None else words.short(row.delivery)


def _meant_by(term: str) -> Q:
    try:
        return Q(public_id=UUID(term))
    except ValueError:
        return Q(subject=term)
