"""Providers: who carries messages out, and how they do. Credentials are typed in and shown never."""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.functional import lazy

from chimeway_py.admin_site import register_concern
from chimeway_py.errors import ChimewayError, Invalid, fault
from deliveries.admin.yaml_text import as_yaml
from deliveries.channels.registry import channels
from deliveries.models import Delivery, Provider
from deliveries.providers.base import ProviderKind
from deliveries.providers.registry import provider_kinds
from deliveries.services.provider_trying import Trial, trials_of, try_provider
from deliveries.services.providers import Rate, put_provider
from deliveries.services.trying import address_in
from tenants.admin import words
from tenants.admin.concerns import concern
from tenants.admin.filters import TenantFilter, question_filter
from tenants.admin.pages import Button, Page, Section
from tenants.admin.paging import page_of
from tenants.admin.writes import WIDE, ServiceForm, WritingAdmin
from tenants.audit.facts import facts_of
from tenants.operator_scope import operator_of
from workflows.definitions.yaml_reader import read_yaml
from workflows.states import Cause

CODE = {"cols": 90, "rows": 6, "class": "cw-code", "spellcheck": "false", "autocomplete": "off"}
MOST_ROWS, MOST_TRIALS = 50, 5
AWAITED = timedelta(minutes=1)  # so long the page looks for the answer by itself


def _unwell(rows: Any) -> Any:
    return rows.filter(enabled=True, unhealthy_until__gt=words.now())


Attention = question_filter("attention", "attention", [("unwell", "not well", _unwell)])

register_concern(
    concern(
        label="Providers that are not well",
        hint="others are asked first, if there are any",
        url_name="admin:deliveries_provider_changelist",
        query="attention=unwell",
        rows=lambda: _unwell(Provider.objects.all()),
        since="last_failed_at",
    )
)


class Unseen(forms.Textarea):
    """A field whose words are sent to us and not sent back."""

    def format_value(self, value: Any) -> str:
        """Nothing, also when the form comes back with faults."""
        return ""


def _names_of(part: Callable[[ProviderKind], tuple[Iterable[str], Iterable[str]]]) -> str:
    """What each kind is told; a star marks what it needs."""
    told = []
    for name, kind in sorted(provider_kinds().items()):
        known, needed = part(kind)
        names = ", ".join(f"{one}*" if one in needed else one for one in known)
        told.append(f"{name}: {names or 'nothing'}")
    return "; ".join(told)


def _config_help() -> str:
    return f"In YAML, a line each, such as from: hello@example.com. {_names_of(lambda k: (k.config, k.required))}."


def _credentials_help() -> str:
    told = "In YAML. They replace those of before; empty, those stay. They are never shown."
    return f"{told} {_names_of(lambda k: (k.credentials, k.secret))}."


class ProviderChange(ServiceForm):
    """What may be changed."""

    config = forms.CharField(required=False, widget=forms.Textarea(attrs=CODE), help_text=lazy(_config_help, str)())
    credentials = forms.CharField(
        required=False,
        widget=Unseen(attrs=CODE),
        help_text=lazy(_credentials_help, str)(),
    )
    position = forms.IntegerField(initial=1, help_text="The lowest of a channel is asked first.")
    enabled = forms.BooleanField(required=False, initial=True)
    rate_count = forms.IntegerField(required=False, min_value=1, help_text="At most so many messages …")
    rate_seconds = forms.IntegerField(required=False, min_value=1, initial=1, help_text="… in so many seconds.")


class TestForm(ServiceForm):
    """Whom a test goes to."""

    to = forms.CharField(
        required=False,
        max_length=4000,
        widget=WIDE,
        help_text="A chat whose account leads to one place needs none.",
    )


class ProviderForm(ProviderChange):
    """A new provider."""

    key = forms.CharField(max_length=64, help_text="1 to 64 of a-z, 0-9 and _.")
    kind = forms.ChoiceField(
        choices=lambda: [(name, f"{name} ({kind.channel})") for name, kind in sorted(provider_kinds().items())]
    )
    field_order = ["key", "kind", "config", "credentials", "position", "enabled", "rate_count", "rate_seconds"]


@admin.register(Provider)
class ProviderAdmin(WritingAdmin):
    """Accounts with providers."""

    form_class = ProviderForm
    change_class = ProviderChange
    list_display = ["key", "tenant", "channel", "kind", "position", "enabled", "health", "updated_at"]
    list_filter = [Attention, TenantFilter, "channel", "kind", "enabled"]
    search_fields = ["key"]

    def get_urls(self) -> list[URLPattern]:
        """Ours before those that catch everything."""
        view = self.admin_site.admin_view(self.test_view)
        return [path("<str:object_id>/test/", view, name="deliveries_provider_test"), *super().get_urls()]

    @admin.display(description="Health")
    def health(self, row: Provider) -> str:
        if row.unhealthy_until and row.unhealthy_until > words.now():
            return f"asked last for now: {row.last_error}"
        return "well" if not row.failures else f"failed {row.failures} times in a row"

    def initial(self, row: Provider) -> dict[str, Any]:
        told = {"config": as_yaml(row.config) if row.config else "", "rate_count": row.rate_count}
        return {**told, "rate_seconds": row.rate_seconds, "position": row.position, "enabled": row.enabled}

    def write(self, request: HttpRequest, tenant_id: int, said: dict[str, Any], row: Any) -> tuple[Provider, str]:
        known = {"key": row.key, "kind": row.kind} if row is not None else {"key": said["key"], "kind": said["kind"]}
        rate = Rate(said["rate_count"], said["rate_seconds"] or 1) if said["rate_count"] else None
        provider, _ = put_provider(
            tenant_id=tenant_id,
            **known,
            config=_mapping("config", said["config"]),
            credentials=_mapping("credentials", said["credentials"]) if said["credentials"].strip() else None,
            position=said["position"],
            enabled=said["enabled"],
            rate=rate,
        )
        return provider, ""

    def page(self, request: HttpRequest, row: Provider) -> Page:
        rate = f"{row.rate_count} in {row.rate_seconds} s" if row.rate_count else "no limit"
        facts = [
            ("Channel", row.channel),
            ("Kind", row.kind),
            ("Position", row.position),
            ("Enabled", "yes" if row.enabled else "no"),
            ("Health", self.health(row)),
            ("Last error", f"{row.last_error} ({words.ago(row.last_failed_at)})" if row.last_failed_at else "–"),
            ("Credentials", ", ".join(row.credential_names) or "none"),
            ("Rate", rate),
            ("Reports go to", f"{settings.PUBLIC_URL.rstrip('/')}/hooks/providers/{row.public_id}"),
            ("Changed", words.moment(row.updated_at)),
        ]
        texts = [("Configuration", as_yaml(row.config))] if row.config else []
        buttons = self.write_buttons(request, row)
        if self.has_change_permission(request, row):
            off = "" if row.enabled else "It is disabled."
            buttons.append(Button("Send a test", url=page_of(row).removesuffix("change/") + "test/", why_not=off))
        trials = trials_of(tenant_id=row.tenant_id, key=row.key, most=MOST_TRIALS, now=words.now())
        page = Page(row.key, facts=facts, buttons=buttons, sections=[_tests(trials), _latest(row)], texts=texts)
        page.refresh = any(not one.is_settled and words.now() - one.asked_at < AWAITED for one in trials)
        return page

    def test_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for an address, and sends a test there; the page of the provider shows what it answered."""
        row = self.found_or_404(request, object_id)
        if not self.has_change_permission(request, row):
            return self._refused(request)
        form = TestForm(request.POST or None)
        form.fields["to"].help_text = f"{channels()[row.channel].address} {form.fields['to'].help_text}".strip()
        if request.method == "POST" and form.is_valid():
            asked: dict[str, Any] = {"tenant_id": row.tenant_id, "key": row.key, "cause": Cause.OPERATOR}
            said = form.cleaned_data
            by = operator_of(request).username
            try:
                try_provider(**asked, to=address_in(said["to"]), cause_ref=by)
            except ChimewayError as error:
                form.add_faults(error)
            else:
                self._record(request, row, "test", before=facts_of(row))
                self.message_user(request, "It is on its way. What the provider answers is shown here.")
                return HttpResponseRedirect(page_of(row))
        return self._ask(request, form, f"Send a test through {row}", row, verb="Send it")


def _tests(trials: Sequence[Trial]) -> Section:
    rows = [
        [
            words.moment(one.asked_at),
            one.asked_by or "–",
            words.badge(one.outcome) if one.is_settled else "on its way",
            one.sentence,
            one.provider_ref or "–",
            words.link(one.delivery, words.short(one.delivery_id)) if one.delivery else "–",
        ]
        for one in trials
    ]
    headings = ["Asked", "By", "Answer", "What it says", "Its name for the message", "Delivery"]
    return Section("Tests", headings, rows, "Nobody has tried it yet.")


def _latest(row: Provider) -> Section:
    found = Delivery.objects.for_tenant(row.tenant_id).filter(provider=row.key).order_by("-id")[:MOST_ROWS]
    rows = [
        [
            words.link(one, words.short(one.public_id)),
            words.badge(one.status),
            one.recipient_masked or "–",
            one.error or "–",
            words.moment(one.planned_at),
        ]
        for one in found
    ]
    return Section("Its last deliveries", ["Delivery", "Status", "To", "Error", "Planned"], rows, "None yet.")


def _mapping(name: str, text: str) -> dict[str, Any]:
    """A field of YAML. Only its own faults are told: what was typed may be secret."""
    try:
        return read_yaml(text.encode()) if text.strip() else {}
    except Invalid:
        told = "YAML with names and values, such as `token: …`."
        raise Invalid("The provider is not valid.", [fault(f"/{name}", "yaml", told)]) from None
