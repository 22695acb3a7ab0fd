"""Finding messages and recipients by an address. It is personal: it is posted, and in no address or log."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse

from chimeway_py.errors import ChimewayError
from deliveries.models import Delivery, Recipient
from deliveries.recipients.reading import LONGEST_ADDRESS
from deliveries.recipients.searching import deliveries_to, recipients_at
from deliveries.recipients.why import why
from tenants.admin import words
from tenants.admin.pages import PageAdmin, Section
from tenants.admin.writes import WIDE, ServiceForm, ask_tenant
from tenants.models import Role

PAGE, MOST_PEOPLE = 50, 20
WHO = ["Recipient", "Zone", "Locale", "Changed"]
HEADINGS = ["Delivery", "Planned", "Channel", "To", "Recipient", "Run", "Status", "Why"]


class AddressForm(ServiceForm):
    """Whose tenant, and which address."""

    address = forms.CharField(
        max_length=LONGEST_ADDRESS, widget=WIDE, help_text="A mail address or a phone number, as somebody gave it."
    )
    before = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)


class AddressSearchAdmin(PageAdmin):
    """A page beside the list, which shows a page of what was found."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.address_view)
        return [path("to-address/", view, name="deliveries_delivery_to_address"), *super().get_urls()]

    def address_view(self, request: HttpRequest) -> HttpResponse:
        """Asks for an address, and tells what was sent to it or withheld."""
        form = AddressForm(request.POST or None)
        ask_tenant(form, request, Role.VIEWER)
        more: dict[str, Any] = {"form": form, "list_url": reverse("admin:deliveries_delivery_changelist")}
        if request.method == "POST" and form.is_valid():
            more |= _found(form)
        return self._answer(request, "admin/to_address.html", "What went to an address", more)


def _found(form: AddressForm) -> dict[str, Any]:
    """A page of it, and where the next one begins."""
    said = form.cleaned_data
    try:
        mine = deliveries_to(said["tenant"].pk, said["address"])
    except ChimewayError as error:
        form.add_faults(error)
        return {}
    older = mine.filter(pk__lt=said["before"]) if said["before"] else mine
    rows = list(older.select_related("run", "step_run").order_by("-id")[: PAGE + 1])
    names = {row.subject for row in rows}
    known = Recipient.objects.filter(tenant_id=said["tenant"].pk, external_id__in=names).defer("sealed")
    recipients = {row.external_id: row for row in known}
    there = recipients_at(said["tenant"].pk, said["address"]).defer("sealed").order_by("-id")[:MOST_PEOPLE]
    people = Section("Who has it now", WHO, [_person(row) for row in there], "No recipient has it.")
    shown = Section("Messages", HEADINGS, [_line(row, recipients) for row in rows[:PAGE]], "Nothing went there.")
    return {"people": people, "section": shown, "said": said, "next": rows[PAGE - 1].pk if len(rows) > PAGE else None}


def _person(row: Recipient) -> list[Any]:
    return [words.link(row), row.zone or "–", row.locale or "–", words.moment(row.updated_at)]


def _line(row: Delivery, recipients: dict[str, Recipient]) -> list[Any]:
    return [
        words.link(row, words.short(row.public_id)),
        words.moment(row.planned_at),
        row.channel,
        row.recipient_masked,
        words.link(recipients[row.subject]) if row.subject in recipients else row.subject,
        words.link(row.run, row.definition_key),
        words.badge(row.status),
        why(row, words.now()),
    ]
