"""Deliveries: to whom (masked), over which channel, what came of it; and sending one again."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from chimeway_py.errors import ChimewayError
from deliveries.admin.address_search import AddressSearchAdmin
from deliveries.admin.concerns import OWED_TOO_LONG
from deliveries.admin.delivery_filters import CategoryFilter, ChannelFilter, ProviderFilter
from deliveries.models import Delivery, InboxItem, Recipient
from deliveries.recipients.why import why
from deliveries.services.resend import resend_delivery
from deliveries.states import DeliveryStatus
from tenants.admin import words
from tenants.admin.actions import ReasonedAction
from tenants.admin.filters import TenantFilter, question_filter
from tenants.admin.pages import Button, Page, Section, extend_page
from tenants.admin.paging import ref_of
from tenants.services.operators import Act
from workflows.models import Attempt, Run

MOST_ROWS = 100
_ALWAYS = {"To", "Template", "Settled", "Provider"}  # that they are missing says something
_FAILED = (DeliveryStatus.RETRIES_EXHAUSTED, DeliveryStatus.PERMANENT_FAILURE, DeliveryStatus.BOUNCED)
_TONES = {DeliveryStatus.DELIVERED: "good", DeliveryStatus.UNKNOWN: "warn", **dict.fromkeys(_FAILED, "bad")}

Attention = question_filter(
    "attention",
    "attention",
    [
        (
            "owed",
            "owed for over a minute",
            lambda rows: rows.overdue(words.now() - OWED_TOO_LONG),
        ),
        ("held", "held back", lambda rows: rows.owed().exclude(held_by="")),
        ("withheld", "withheld by a rule", lambda rows: rows.filter(status="suppressed")),
        ("failed", "not delivered", lambda rows: rows.filter(status__in=["retries_exhausted", "permanent_failure"])),
        ("unknown", "unknown", lambda rows: rows.filter(status="unknown")),
    ],
)


class ResendDeliveries(ReasonedAction):
    """Sends settled messages once more."""

    name, verb = "resend", "Resend"

    def forecast(self, row: Delivery) -> str:
        if row.is_owed:
            return f"It is {row.status} and will be sent anyway: refused."
        to = row.recipient_masked or row.subject
        return f"A new {row.channel} message goes to {to}, under a key of its own. The run does not change."

    def carry_out(self, request: HttpRequest, tenant_id: int, rows: Sequence[Delivery], reason: str) -> Iterable[Act]:
        for row in rows:
            try:
                resend_delivery(tenant_id=tenant_id, delivery=row.public_id, reason=reason)
            except ChimewayError as error:
                yield Act("delivery", ref_of(row), error.message)
            else:
                yield Act("delivery", ref_of(row))


@admin.register(Delivery)
class DeliveryAdmin(AddressSearchAdmin):
    """Deliveries, to read. Addresses are masked here as they are stored."""

    change_list_template = "admin/delivery_list.html"

    list_display = ["shown_id", "tenant", "channel", "shown_status", "subject", "to", "workflow", "planned"]
    list_filter = [Attention, TenantFilter, ChannelFilter, ProviderFilter, "status", "decided_by", CategoryFilter]
    search_fields = ["public_id"]
    search_help_text = "A public id of a delivery or of its run, or a subject"
    actions = [ResendDeliveries()]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return (queryset.filter(_meant_by(term)) if term else queryset), False

    def page(self, request: HttpRequest, row: Delivery) -> Page:
        return Page(
            title=f"{row.channel} to {row.recipient_masked or row.subject}",
            lead=why(row, words.now()),
            tone=_TONES.get(DeliveryStatus(row.status), "calm"),
            facts=[(label, value) for label, value in _facts(row) if value != "–" or label in _ALWAYS],
            buttons=[Button("Resend", action="resend", why_not="It is still being sent." if row.is_owed else "")],
            sections=[_attempts(row), joined_section(row), _resends(row)],
        )

    @admin.display(description="Delivery")
    def shown_id(self, row: Delivery) -> str:
        return words.short(row.public_id)

    @admin.display(description="Status", ordering="status")
    def shown_status(self, row: Delivery) -> SafeString:
        return words.badge(row.status)

    @admin.display(description="To")
    def to(self, row: Delivery) -> str:
        return row.recipient_masked or "–"

    @admin.display(description="Workflow, step", ordering="definition_key")
    def workflow(self, row: Delivery) -> str:
        return f"{row.definition_key}, {row.step_key}"

    @admin.display(description="Planned")
    def planned(self, row: Delivery) -> str:
        return words.ago(row.planned_at)


def _meant_by(term: str) -> Q:
    try:
        public_id = UUID(term)
    except ValueError:
        return Q(subject=term)
    return Q(public_id=public_id) | Q(run__in=Run.objects.filter(public_id=public_id))


def _facts(row: Delivery) -> list[tuple[str, Any]]:
    return [
        ("Status", words.badge(row.status)),
        ("Error", row.error or "–"),
        ("Decided by", f"{row.get_decided_by_display()}: {row.decided_rule or 'no rule'}" if row.decided_by else "–"),
        ("Held until", words.moment(row.held_until)),
        ("Joined to", _delivery_link(row, row.coalesced_into)),
        ("Inbox item", _inbox_link(row)),
        ("Category", row.category or "–"),
        ("Subject", _recipient_link(row)),
        ("To", row.recipient_masked or "–"),
        ("Run", words.link(row.run)),
        ("Step", f"{row.step_key} #{row.visit}"),
        ("Template", row.template or "–"),
        ("Planned", words.moment(row.planned_at)),
        ("Settled", words.moment(row.settled_at)),
        ("Provider", row.provider or "–"),
        *((label, words.moment(at)) for label, at in _reports(row) if at),
        ("Provider's reference", row.provider_ref or "–"),
        ("Key", row.key),
        ("Resend of", words.link(row.resend_of)),
        ("In the place of", _delivery_link(row, row.stands_in_for)),
        ("Why it was resent", row.resend_reason or "–"),
        ("Public id", row.public_id),
    ]


def _recipient_link(row: Delivery) -> Any:
    """A link to whom it is for, if they are stored."""
    mine = Recipient.objects.filter(tenant_id=row.tenant_id, external_id=row.subject).defer("sealed")
    found = mine.first()
    return words.link(found) if found is not None else row.subject


def _delivery_link(row: Delivery, public_id: UUID | None) -> Any:
    """A link to another delivery of the tenant."""
    mine = Delivery.objects.for_tenant(row.tenant_id)
    return words.link(mine.filter(public_id=public_id).first() if public_id is not None else None)


def _inbox_link(row: Delivery) -> Any:
    """A link to the inbox in which it is an item."""
    mine = InboxItem.objects.filter(tenant_id=row.tenant_id, delivery=row)
    public_id = mine.values_list("public_id", flat=True).first()
    if public_id is None:
        return "–"
    url = reverse("admin:deliveries_inboxitem_changelist", query={"q": row.subject})
    return format_html('<a href="{}">{}</a>', url, words.short(public_id))


def _reports(row: Delivery) -> list[tuple[str, Any]]:
    """What the provider told later."""
    return [
        ("Arrived", row.confirmed_at),
        ("Opened", row.opened_at),
        ("Clicked", row.clicked_at),
        ("Failed", row.failed_at),
        ("Bounced", row.bounced_at),
        ("Complained of", row.complained_at),
    ]


def _attempts(row: Delivery) -> Section:
    found = Attempt.objects.filter(tenant_id=row.tenant_id, step_run_id=row.step_run_id).order_by("-number")
    rows = [
        [
            one.number,
            words.badge(one.outcome or one.status),
            one.error or "–",
            words.moment(one.started_at),
            words.moment(one.finished_at),
            words.moment(one.retry_at),
        ]
        for one in found[:MOST_ROWS]
    ]
    headings = ["Number", "Outcome", "Error", "Started", "Finished", "Next try"]
    return Section("Attempts", headings, rows, "Not tried yet, or it needed no try.")


def joined_section(row: Delivery) -> Section:
    """The messages that this one stands for."""
    mine = Delivery.objects.for_tenant(row.tenant_id).filter(coalesced_into=row.public_id).select_related("run")
    rows = [
        [words.link(one, words.short(one.public_id)), words.badge(one.status), words.link(one.run)]
        for one in mine.order_by("-id")[:MOST_ROWS]
    ]
    return Section("Joined to it", ["Delivery", "Status", "Run"], rows, "It stands for no other message.")


def _resends(row: Delivery) -> Section:
    found = Delivery.objects.for_tenant(row.tenant_id).filter(resend_of=row).order_by("-id")[:MOST_ROWS]
    rows = [[words.link(one, words.short(one.public_id)), words.badge(one.status), one.resend_reason] for one in found]
    return Section("Resends", ["Delivery", "Status", "Why"], rows, "It was not sent again.")


def _of_run(request: HttpRequest, run: Run, page: Page) -> None:
    """The deliveries of a run, on its page."""
    found = Delivery.objects.for_tenant(run.tenant_id).filter(run=run).order_by("-id")[:MOST_ROWS]
    rows = [
        [
            words.link(one, words.short(one.public_id)),
            f"{one.step_key} #{one.visit}",
            one.channel,
            words.badge(one.status),
            one.recipient_masked or "–",
            one.error or "–",
            words.moment(one.planned_at),
            words.moment(one.settled_at),
        ]
        for one in found
    ]
    headings = ["Delivery", "Step", "Channel", "Status", "To", "Error", "Planned", "Settled"]
    page.sections.insert(0, Section("Deliveries", headings, rows, "Nothing was sent for this run."))


extend_page("workflows.Run", _of_run)
