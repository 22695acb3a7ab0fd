"""Event subscriptions: who is told of events, how well each receiver does, and what it missed."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest

from chimeway_py.errors import ChimewayError
from tenants.admin import words
from tenants.admin.actions import ReasonedAction
from tenants.admin.filters import TenantFilter
from tenants.admin.looking import LookingAdmin
from tenants.admin.pages import Button, Page, Section
from tenants.admin.paging import ref_of
from tenants.admin.writes import WIDE, ServiceForm
from tenants.models import Role
from tenants.services.operators import Act
from workflows.admin.event_replaying import REPLAY_RANGE
from workflows.admin.receivers import ReceiverHealth, watch_receivers
from workflows.events.replay import replay_events
from workflows.events.subscriptions import (
    change_subscription,
    delete_subscription,
    ping_subscription,
    put_subscription,
    rotate_subscription_secret,
)
from workflows.events.types import EventType
from workflows.models import DisabledReason, EventDispatch, EventSubscription

MOST_SHOWN = 30
_TYPES = [(one.value, f"{one.value}: {one.label}") for one in EventType if one != EventType.PING]


class ChangeForm(ServiceForm):
    """What of a subscription may change."""

    url = forms.CharField(max_length=2000, widget=WIDE, help_text="https, on the public internet.")
    types = forms.MultipleChoiceField(
        choices=_TYPES, required=False, widget=forms.CheckboxSelectMultiple, help_text="None: all, also those to come."
    )
    description = forms.CharField(max_length=200, required=False, widget=WIDE)
    enabled = forms.BooleanField(required=False, initial=True)


class SubscriptionForm(ChangeForm):
    """A new subscription."""

    key = forms.CharField(max_length=64, help_text="1 to 64 of a-z, 0-9 and _. It cannot be changed.")
    field_order = ["key", "url"]


class SubscriptionAction(ReasonedAction):
    """An action on subscriptions, one by one."""

    role = Role.ADMIN

    def carry_out(
        self, request: HttpRequest, tenant_id: int, rows: Sequence[EventSubscription], reason: str
    ) -> Iterable[Act]:
        for row in rows:
            try:
                self.change(tenant_id, row.key)
            except ChimewayError as error:
                yield Act("event subscription", ref_of(row), error.message)
            else:
                yield Act("event subscription", ref_of(row))

    def change(self, tenant_id: int, key: str) -> None:
        """Call the service. Raises `ChimewayError`."""
        raise NotImplementedError


class Enable(SubscriptionAction):
    """Switches subscriptions on."""

    name, verb = "enable", "Enable"

    def forecast(self, row: EventSubscription) -> str:
        return "It gets what is owed to it, and what happens from now on. Its failures are forgotten."

    def change(self, tenant_id: int, key: str) -> None:
        change_subscription(tenant_id=tenant_id, key=key, enabled=True)


class Disable(SubscriptionAction):
    """Switches subscriptions off."""

    name, verb = "disable", "Disable"

    def forecast(self, row: EventSubscription) -> str:
        return "It is told nothing until it is enabled. What happens meanwhile is kept and can be replayed."

    def change(self, tenant_id: int, key: str) -> None:
        change_subscription(tenant_id=tenant_id, key=key, enabled=False)


class PingThem(SubscriptionAction):
    """Sends test events."""

    name, verb = "ping", "Ping"

    def forecast(self, row: EventSubscription) -> str:
        return "It gets a test event." if row.enabled else "It is disabled: refused."

    def change(self, tenant_id: int, key: str) -> None:
        ping_subscription(tenant_id=tenant_id, key=key)


class ReplayMissed(SubscriptionAction):
    """Sends all that is kept and was never taken."""

    name, verb = "replay", "Replay what was missed of"

    def forecast(self, row: EventSubscription) -> str:
        if not row.enabled:
            return "It is disabled: refused."
        missed = replay_events(tenant_id=row.tenant_id, key=row.key, since=_first_kept(), dry_run=True).count
        return f"It has not taken {missed} of the events of the last {settings.EVENTS_KEPT_DAYS} days: they are sent."

    def change(self, tenant_id: int, key: str) -> None:
        part = replay_events(tenant_id=tenant_id, key=key, since=_first_kept())
        while part.next_after is not None:
            part = replay_events(tenant_id=tenant_id, key=key, after=part.next_after)


class Delete(SubscriptionAction):
    """Forgets subscriptions."""

    name, verb = "delete", "Delete"

    def forecast(self, row: EventSubscription) -> str:
        return "It is forgotten, and what was owed to it; the events stay. This cannot be undone."

    def change(self, tenant_id: int, key: str) -> None:
        delete_subscription(tenant_id=tenant_id, key=key)


@admin.register(EventSubscription)
class EventSubscriptionAdmin(LookingAdmin):
    """Subscriptions; written through services. Their secrets are shown once, when they are made."""

    form_class = SubscriptionForm
    change_class = ChangeForm
    rotates = True
    list_display = ["key", "tenant", "url", "enabled", "disabled_reason", "failing", "succeeded"]
    list_filter = [ReceiverHealth, TenantFilter, "enabled"]
    search_fields = ["=key"]
    actions = [Enable(), Disable(), PingThem(), ReplayMissed(), Delete()]
    looks = [REPLAY_RANGE]

    @admin.display(description="Failing since")
    def failing(self, row: EventSubscription) -> str:
        return words.ago(row.failing_since) or "–"

    @admin.display(description="Took something")
    def succeeded(self, row: EventSubscription) -> str:
        return words.ago(row.succeeded_at) or "never"

    def initial(self, row: EventSubscription) -> dict[str, Any]:
        return {name: getattr(row, name) for name in ("url", "types", "description", "enabled")}

    def write(
        self, request: HttpRequest, tenant_id: int, said: dict[str, Any], row: Any
    ) -> tuple[EventSubscription, str]:
        given = {name: said[name] for name in ("url", "types", "description", "enabled")}
        made = put_subscription(tenant_id=tenant_id, key=row.key if row is not None else said["key"], **given)
        return made.subscription, made.secret

    def rotate(self, row: EventSubscription, overlap: timedelta) -> tuple[EventSubscription, str]:
        made = rotate_subscription_secret(tenant_id=row.tenant_id, key=row.key, overlap=overlap)
        return made.subscription, made.secret

    def page(self, request: HttpRequest, row: EventSubscription) -> Page:
        switch = Button("Disable", action="disable") if row.enabled else Button("Enable", action="enable")
        off = "" if row.enabled else "It is disabled."
        buttons = [switch, Button("Ping", action="ping", why_not=off)]
        buttons += [Button("Replay what was missed", action="replay", why_not=off)]
        buttons += [REPLAY_RANGE.button(row, off), Button("Delete", action="delete")]
        return Page(
            title=row.key,
            lead="" if row.enabled else f"It is told nothing: {row.get_disabled_reason_display()}.",
            tone="calm" if row.disabled_reason == DisabledReason.ASKED else "",
            facts=_facts(row),
            buttons=[*self.write_buttons(request, row), *buttons],
            sections=[_latest(row)],
        )


def _facts(row: EventSubscription) -> list[tuple[str, Any]]:
    return [
        ("Address", row.url),
        ("Types", ", ".join(row.types) or "all"),
        ("Description", row.description or "–"),
        ("Enabled", "yes" if row.enabled else f"no, since {words.moment(row.disabled_at)}"),
        ("Failing since", words.moment(row.failing_since)),
        ("Failures in a row", row.failures),
        ("Nothing is tried before", words.moment(row.hold_until)),
        ("Took something", words.moment(row.succeeded_at)),
        ("Live secrets", len(row.live_secrets(words.now()))),
        ("Created", words.moment(row.created_at)),
        ("Changed", words.moment(row.updated_at)),
    ]


def _latest(row: EventSubscription) -> Section:
    found = EventDispatch.objects.filter(tenant_id=row.tenant_id, subscription=row).select_related("event")
    rows = [
        [
            words.link(one.event, one.event.type),
            words.badge(one.status),
            one.attempts_made,
            words.moment(one.due_at),
            words.moment(one.settled_at),
        ]
        for one in found.order_by("-id")[:MOST_SHOWN]
    ]
    return Section("Latest events", ["Event", "Status", "Tries", "Due", "Settled"], rows, "It was told nothing yet.")


def _first_kept() -> Any:
    return words.now() - timedelta(days=settings.EVENTS_KEPT_DAYS)


watch_receivers(
    EventSubscription,
    label="Disabled subscriptions",
    hint="receivers of events that were gone or failed for five days",
)
