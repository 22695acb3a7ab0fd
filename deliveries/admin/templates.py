"""Templates: what messages say, in every locale; their versions; and trying one before anybody gets it."""

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path

from chimeway_py.api.json_gate import read_json
from chimeway_py.errors import ChimewayError, Invalid, fault
from deliveries.admin.yaml_text import as_yaml
from deliveries.channels.registry import channels
from deliveries.models import Template, TemplateVersion
from deliveries.services.template_retiring import retire_template, users_of
from deliveries.services.template_trying import Preview, Sample, preview_template, send_test
from deliveries.services.templates import publish_template, put_template
from deliveries.services.trying import address_in
from tenants.admin import words
from tenants.admin.actions import ReasonedAction
from tenants.admin.filters import TenantFilter
from tenants.admin.pages import Button, Page, Section
from tenants.admin.paging import page_of, ref_of
from tenants.admin.writes import WIDE, ServiceForm, WritingAdmin
from tenants.audit.facts import facts_of
from tenants.models import Role
from tenants.services.operators import Act
from workflows.definitions.yaml_reader import read_yaml

CODE = {"cols": 90, "class": "cw-code", "spellcheck": "false"}
MOST_VERSIONS = 100
SHORT_CODE = forms.Textarea(attrs={"rows": 3, **CODE})
IN_JSON = ("data", "steps", "coalesced", "correlation")


class TemplateText(ServiceForm):
    """What a message says, in Liquid."""

    subject = forms.CharField(required=False, widget=WIDE, help_text="Subject of a mail, title of an inbox item.")
    text = forms.CharField(widget=forms.Textarea(attrs={"rows": 12, **CODE}))
    html = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 12, **CODE}))
    locales = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 8, **CODE}),
        help_text="Words for other locales, in YAML: {de: {subject: …, text: …, html: …}, de-AT: {…}}.",
    )
    layout = forms.CharField(required=False, max_length=64, help_text="The key of a layout on the same channel.")
    draft = forms.BooleanField(required=False, help_text="Keep it as a draft: messages go on as before.")


class TemplateForm(TemplateText):
    """A new template."""

    key = forms.CharField(max_length=64, help_text="1 to 64 of a-z, 0-9 and _.")
    channel = forms.ChoiceField(choices=lambda: [(name, name) for name in sorted(channels())])
    is_layout = forms.BooleanField(required=False, help_text="Other templates are put into it, at {{ content }}.")
    field_order = ["key", "channel", "is_layout", "subject", "text", "html", "locales", "layout", "draft"]


class TryForm(ServiceForm):
    """Sample data, and whom to send the message to, if anybody."""

    subject = forms.CharField(
        required=False, max_length=200, widget=WIDE, help_text="The id of a recipient, whom the template sees."
    )
    data = forms.CharField(  # type: ignore[assignment]
        required=False, widget=forms.Textarea(attrs={"rows": 8, **CODE}), help_text="What a run starts with, in JSON."
    )
    steps = forms.CharField(
        required=False,
        widget=SHORT_CODE,
        help_text='What steps brought, in JSON: {"collect": {"count": 2, "items": [], "more": 0}}.',
    )
    coalesced = forms.CharField(required=False, widget=SHORT_CODE, help_text='In JSON: {"count": 3}.')
    correlation = forms.CharField(required=False, widget=SHORT_CODE, help_text="Of the run, in JSON.")
    locale = forms.CharField(required=False, max_length=35, help_text="Such as de-AT; empty for everybody's words.")
    version = forms.IntegerField(required=False, min_value=1, help_text="Empty for the draft, or the published one.")
    to = forms.CharField(
        required=False, max_length=4000, widget=WIDE, help_text="Empty to look only. Filled in, the message is sent."
    )
    send = forms.BooleanField(required=False, help_text="Send it to nobody by name: a chat that leads to one place.")


class PublishDrafts(ReasonedAction):
    """Publishes drafts of templates."""

    name, verb = "publish", "Publish the draft"
    role = Role.ADMIN

    def forecast(self, row: Template) -> str:
        draft = _versions_of(row).filter(status="draft").first()
        if draft is None:
            return "It has no draft: refused."
        return f"{str(draft).capitalize()} is frozen, and messages that were not yet tried get its words."

    def carry_out(self, request: HttpRequest, tenant_id: int, rows: Sequence[Template], reason: str) -> Iterable[Act]:
        for row in rows:
            try:
                publish_template(tenant_id=tenant_id, key=row.key, channel=row.channel)
            except ChimewayError as error:
                yield Act("template", ref_of(row), _why(error))
            else:
                yield Act("template", ref_of(row))


class Retire(ReasonedAction):
    """Retires templates that nobody uses."""

    name, verb = "retire", "Retire"
    role = Role.ADMIN
    force = False

    def forecast(self, row: Template) -> str:
        users = [name for names in users_of(row).values() for name in names]
        if users and not self.force:
            return f"Used by {', '.join(users)}: refused."
        hit = f" Messages of {', '.join(users)} will miss it." if users else ""
        return ("It is forgotten." if row.current_id is None else "No new message gets its words.") + hit

    def carry_out(self, request: HttpRequest, tenant_id: int, rows: Sequence[Template], reason: str) -> Iterable[Act]:
        for row in rows:
            act = ref_of(row)
            try:
                retire_template(tenant_id=tenant_id, key=row.key, channel=row.channel, force=self.force)
            except ChimewayError as error:
                yield Act("template", act, error.message)
            else:
                yield Act("template", act)


class RetireAnyway(Retire):
    """Retires templates that published definitions use."""

    name, verb = "retire_anyway", "Retire although used"
    force = True


@admin.register(Template)
class TemplateAdmin(WritingAdmin):
    """Stored templates. Messages that were planned and not yet tried get the words that were published last."""

    form_class = TemplateForm
    change_class = TemplateText
    list_display = ["key", "tenant", "channel", "what", "published", "retired_at", "updated_at"]
    list_filter = [TenantFilter, "channel", "is_layout"]
    list_select_related = ("tenant", "current")
    search_fields = ["key"]
    actions = [PublishDrafts(), Retire(), RetireAnyway()]

    def get_urls(self) -> list[URLPattern]:
        """Ours before those that catch everything."""
        view = self.admin_site.admin_view(self.try_view)
        return [path("<str:object_id>/try/", view, name="deliveries_template_try"), *super().get_urls()]

    @admin.display(description="Kind", ordering="is_layout")
    def what(self, row: Template) -> str:
        return "layout" if row.is_layout else "message"

    @admin.display(description="Published")
    def published(self, row: Template) -> str:
        return str(row.current) if row.current else "–"

    def initial(self, row: Template) -> dict[str, Any]:
        """The draft, or else what is published."""
        newest = _versions_of(row)[0]
        own = {locale: newest.wordings[locale] for locale in newest.locales}
        return {**newest.default, "layout": newest.layout, "locales": as_yaml(own) if own else ""}

    def write(self, request: HttpRequest, tenant_id: int, said: dict[str, Any], row: Any) -> tuple[Template, str]:
        known = {"key": row.key, "channel": row.channel, "is_layout": row.is_layout} if row is not None else {}
        parts = {name: value for name, value in said.items() if name not in ("tenant", "locales")}
        parts["locales"] = _locales(said["locales"])
        return put_template(tenant_id=tenant_id, **parts | known)[0], ""

    def page(self, request: HttpRequest, row: Template) -> Page:
        versions = list(_versions_of(row)[:MOST_VERSIONS])
        newest = versions[0]
        buttons = self.write_buttons(request, row)
        if self.has_change_permission(request, row):
            buttons.append(Button("Try it", url=page_of(row).removesuffix("change/") + "try/"))
        draft = "" if newest.status == "draft" else "It has no draft."
        buttons.append(Button("Publish the draft", action="publish", why_not=draft))
        buttons.append(Button("Retire", action="retire", why_not="It is retired." if row.retired_at else ""))
        facts = [
            ("Channel", row.channel),
            ("Kind", "layout" if row.is_layout else "message"),
            ("Published", str(row.current) if row.current else "nothing yet"),
            ("Layout", newest.layout or "–"),
            ("Locales", ", ".join(newest.locales) or "the same words for everybody"),
            ("Created", words.moment(row.created_at)),
            ("Changed", words.moment(row.updated_at)),
            ("Retired", words.moment(row.retired_at)),
        ]
        return Page(row.key, facts=facts, buttons=buttons, sections=[_versions(versions)], texts=_texts(newest))

    def try_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Shows what the template makes of sample data, and sends it when somebody is named."""
        row = self.found_or_404(request, object_id)
        if not self.has_change_permission(request, row):
            return self._refused(request)
        form = TryForm(request.POST or None, initial={"data": "{}"})
        shown = None
        if request.method == "POST" and form.is_valid():
            try:
                shown, told = self._try(request, row, form.cleaned_data)
            except ChimewayError as error:
                form.add_faults(error)
            else:
                if told:
                    self.message_user(request, told, messages.SUCCESS)
                    return HttpResponseRedirect(page_of(row))
        more = {"form": form, "row": row, "row_url": page_of(row), "preview": shown}
        return self._answer(request, "admin/template_try.html", f"Try {row}", more)

    def _try(self, request: HttpRequest, row: Template, said: dict[str, Any]) -> tuple[Preview | None, str]:
        """A preview, or what to say after a test was sent."""
        place: dict[str, Any] = {"tenant_id": row.tenant_id, "key": row.key, "channel": row.channel}
        about: dict[str, Any] = {name: _object(name, said[name]) for name in IN_JSON}
        if said["subject"]:
            about["subject"] = said["subject"]
        sample = Sample(**about, locale=said["locale"], version=said["version"])
        if not (said["to"] or said["send"]):
            return preview_template(**place, sample=sample), ""
        started = send_test(**place, sample=sample, to=address_in(said["to"]))
        self._record(request, row, "test", before=facts_of(row))
        return None, f"It is on its way, in the run {started.public_id}."


def _versions_of(row: Template) -> Any:
    """Newest first."""
    return TemplateVersion.objects.filter(tenant_id=row.tenant_id, template_id=row.pk).order_by("-number")


def _versions(versions: Sequence[TemplateVersion]) -> Section:
    rows = [
        [one.number, words.badge(one.status), ", ".join(one.locales) or "–", one.layout or "–",
         words.moment(one.created_at), words.moment(one.published_at)]
        for one in versions
    ]  # fmt: skip
    return Section("Versions", ["Version", "Status", "Locales", "Layout", "Created", "Published"], rows)


def _texts(version: TemplateVersion) -> list[tuple[str, str]]:
    names = {"subject": "Subject or title", "text": "Text", "html": "HTML"}
    shown = []
    for locale in ("default", *version.locales):
        suffix = "" if locale == "default" else f", {locale}"
        said = version.wordings[locale]
        shown += [(f"{name}{suffix}", said[part]) for part, name in names.items() if said.get(part)]
    return shown


def _locales(text: str) -> dict[str, dict[str, str]]:
    """The words for other locales out of the form."""
    found = read_yaml(text.encode()) if text.strip() else {}
    for locale, parts in found.items():
        if not isinstance(parts, dict) or not all(isinstance(part, str) for part in parts.values()):
            told = "Each locale has {subject, text, html}, each of them a text."
            raise Invalid("The template is not valid.", [fault(f"/locales/{locale}", "shape", told)])
    return found


def _object(name: str, text: str) -> dict[str, Any]:
    try:
        return read_json((text.strip() or "{}").encode())
    except Invalid as refused:
        faults = [{**one, "path": f"/{name}{one['path']}"} for one in refused.detail if isinstance(one, dict)]
        raise Invalid("The sample is not valid.", faults) from None


def _why(error: ChimewayError) -> str:
    faults = error.detail if isinstance(error.detail, list) else []
    return "; ".join([error.message, *(f"{one['path']}: {one['message']}" for one in faults)])
