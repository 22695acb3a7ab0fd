"""Recipients, what they prefer, and categories. Addresses are masked, and attributes are only named."""

import json
from typing import Any
from urllib.parse import quote

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from deliveries.admin.delivery_filters import ChannelFilter
from deliveries.channels.registry import channels
from deliveries.models import Category, Delivery, Preference, Recipient
from deliveries.models.preference import describe
from deliveries.preferences.categories import put_category
from deliveries.preferences.storing import put_preferences, rules_of
from deliveries.recipients import masked
from deliveries.recipients.history import page_of_history
from deliveries.recipients.why import why
from tenants.admin import words
from tenants.admin.filters import TenantFilter
from tenants.admin.json_field import JSONText
from tenants.admin.pages import Button, Page, PageAdmin, Section
from tenants.admin.writes import WIDE, ServiceForm, WritingAdmin
from workflows.withheld.reading import Withheld

ANY = [("", "any")]
MOST_ROWS = 100


@admin.register(Recipient)
class RecipientAdmin(PageAdmin):
    """Recipients, to read: your product tells who they are."""

    change_list_template = "admin/recipient_list.html"
    list_display = ["external_id", "tenant", "zone", "locale", "updated_at"]
    list_filter = [TenantFilter]
    search_fields = ["=external_id"]
    search_help_text = "A recipient's id: the subject of their runs"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The list needs nothing that is sealed; the page opens it."""
        return super().get_queryset(request).defer("sealed")

    def page(self, request: HttpRequest, row: Recipient) -> Page:
        person = row.person
        addresses = [(f"Address: {channel}", _shown(address)) for channel, address in person["addresses"].items()]
        facts = [
            *addresses,
            ("Time zone", row.zone or "–"),
            ("Locale", row.locale or "–"),
            ("Quiet hours", _hours(row.quiet_hours)),
            ("Attributes", ", ".join(sorted(person["attributes"])) or "–"),
            ("Created", words.moment(row.created_at)),
            ("Changed", words.moment(row.updated_at)),
        ]
        found, older = page_of_history(row.tenant_id, row.external_id, request.GET.get("before", ""), MOST_ROWS)
        buttons = [Button("Older", url=f"?before={quote(older)}")] if older else []
        return Page(row.external_id, facts=facts, buttons=buttons, sections=[_history(row, found), _rules(row)])


def _shown(address: Any) -> str:
    if isinstance(address, str):
        return masked(address)
    return f"{len(address)} addresses" if isinstance(address, list) else "a subscription"


def _hours(said: list[dict[str, Any]] | None) -> str:
    if said is None:
        return "the tenant's"
    return ", ".join(f"{one['from']}–{one['to']}" for one in said) or "none"


def _rules(row: Recipient) -> Section:
    rows = [
        [
            words.link(rule, describe(rule.category, rule.workflow, rule.channel)),
            "yes" if rule.allowed else "no",
            _condition(rule),
            rule.said_by,
            words.moment(rule.updated_at),
        ]
        for rule in rules_of(row.tenant_id, row.external_id)
    ]
    return Section("Preferences", ["About", "Wanted", "When", "Said by", "Changed"], rows, "They said nothing.")


def _condition(rule: Preference) -> str:
    """As it was said."""
    return "always" if rule.when is None else json.dumps(rule.when, ensure_ascii=False)


def _history(row: Recipient, found: list[Delivery | Withheld]) -> Section:
    """Messages, sent or withheld, and the visits that withheld one."""
    rows = [_message(one) if isinstance(one, Delivery) else _visit(one) for one in found]
    headings = ["Delivery", "Planned", "Channel", "Run", "Status", "Why"]
    return Section("What was sent or withheld, and why", headings, rows, "Nothing was planned for them yet.")


def _message(one: Delivery) -> list[Any]:
    return [
        words.link(one, words.short(one.public_id)),
        words.moment(one.planned_at),
        one.channel,
        words.link(one.run, one.definition_key),
        words.badge(one.status),
        why(one, words.now()),
    ]


def _visit(one: Withheld) -> list[Any]:
    """No message: a throttle, or the digest that an item was taken out of."""
    run = words.link(one.row.run, one.row.run.definition_key)
    there = words.link(one.digest, "digest") if one.digest is not None else one.kind
    return [there, words.moment(one.at), "–", run, words.badge(one.status), one.why]


class AnswerForm(ServiceForm):
    """What somebody said about it."""

    allowed = forms.BooleanField(required=False, label="They want it")
    when = JSONText(
        shape=dict,
        required=False,
        help_text='Only under a condition, such as {"path": "data.amount", "lt": 10}. Empty: always.',
    )


class PreferenceForm(AnswerForm):
    """A new rule."""

    subject = forms.CharField(max_length=200, required=False, widget=WIDE, help_text="Empty: the tenant's default.")
    category = forms.CharField(max_length=64, required=False, help_text="Empty: any.")
    workflow = forms.CharField(max_length=64, required=False, help_text="Instead of a category. Empty: any.")
    channel = forms.ChoiceField(required=False, choices=lambda: ANY + [(name, name) for name in sorted(channels())])
    field_order = ["subject", "category", "workflow", "channel", "allowed", "when"]


@admin.register(Preference)
class PreferenceAdmin(WritingAdmin):
    """Rules, of recipients and of the tenant, with the conditions under which they hold."""

    form_class = PreferenceForm
    change_class = AnswerForm
    list_display = ["__str__", "tenant", "whose", "holds", "said_by", "updated_at"]
    list_filter = [TenantFilter, "allowed", ChannelFilter, "said_by"]
    search_fields = ["=subject", "=category", "=workflow"]
    search_help_text = "A recipient's id, a category or a workflow"

    def initial(self, row: Preference) -> dict[str, Any]:
        return {"allowed": row.allowed, "when": row.when}

    def write(self, request: HttpRequest, tenant_id: int, said: dict[str, Any], row: Any) -> tuple[Preference, str]:
        names = ("subject", "category", "workflow", "channel")
        about = {name: getattr(row, name) if row is not None else said[name] for name in names}
        subject = about.pop("subject")
        rule = {name: value for name, value in about.items() if value} | {"allowed": said["allowed"]}
        rule |= {"when": said["when"]} if said["when"] else {}
        put_preferences(tenant_id=tenant_id, subject=subject, rules=[rule], said_by="operator", replace=False)
        return rules_of(tenant_id, subject).get(**about), ""

    def page(self, request: HttpRequest, row: Preference) -> Page:
        facts = [
            ("Whose", self.whose(row)),
            ("About", describe(row.category, row.workflow, row.channel)),
            ("Wanted", "yes" if row.allowed else "no"),
            ("When", self.holds(row)),
            ("Said by", row.said_by),
            ("Changed", words.moment(row.updated_at)),
        ]
        return Page(str(row), facts=facts, buttons=self.write_buttons(request, row))

    @admin.display(description="When")
    def holds(self, row: Preference) -> str:
        return _condition(row)

    @admin.display(description="Whose", ordering="subject")
    def whose(self, row: Preference) -> str:
        return row.subject or "the tenant's default"


class CategoryText(ServiceForm):
    """What a category is called, and whether anybody may refuse it."""

    name = forms.CharField(max_length=200, required=False, widget=WIDE, help_text="For people.")
    required = forms.BooleanField(required=False, help_text="Sent whatever anybody prefers.")


class CategoryForm(CategoryText):
    """A new category."""

    key = forms.CharField(max_length=64, help_text="1 to 64 of a-z, 0-9 and _.")
    field_order = ["key", "name", "required"]


@admin.register(Category)
class CategoryAdmin(WritingAdmin):
    """What messages are about."""

    form_class = CategoryForm
    change_class = CategoryText
    list_display = ["key", "tenant", "name", "required", "updated_at"]
    list_filter = [TenantFilter, "required"]
    search_fields = ["key"]

    def initial(self, row: Category) -> dict[str, Any]:
        return {"name": row.name, "required": row.required}

    def write(self, request: HttpRequest, tenant_id: int, said: dict[str, Any], row: Any) -> tuple[Category, str]:
        key = row.key if row is not None else said["key"]
        return put_category(tenant_id=tenant_id, key=key, name=said["name"], required=said["required"])[0], ""

    def page(self, request: HttpRequest, row: Category) -> Page:
        facts = [
            ("Name", row.name or "–"),
            ("Required", "yes: nobody may refuse it" if row.required else "no"),
            ("Changed", words.moment(row.updated_at)),
        ]
        return Page(row.key, facts=facts, buttons=self.write_buttons(request, row))
