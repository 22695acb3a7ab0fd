"""A range of events sent again to one subscription, at the admin: counted first."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import HttpRequest

from tenants.admin.looking import GoForm, Looked, LookFirst
from tenants.admin.writes import ServiceForm
from tenants.audit.facts import Changes
from workflows.events.replay import replay_events
from workflows.models import EventSubscription

_RANGE = ("since", "until", "after", "include_delivered")


class RangeForm(ServiceForm):
    """Which events."""

    since = forms.DateTimeField(
        required=False, label="From", help_text="2026-11-20 09:30, in UTC; that moment included."
    )
    until = forms.DateTimeField(required=False, label="To", help_text="In UTC, and not included. Empty: until now.")
    after = forms.UUIDField(required=False, help_text="Instead of a time: the id of an event. Those after it are sent.")
    include_delivered = forms.BooleanField(required=False, help_text="Also what the receiver has taken.")


class RangeGoForm(GoForm):
    """The range that was looked at."""

    since = forms.DateTimeField(required=False, widget=forms.HiddenInput)
    until = forms.DateTimeField(required=False, widget=forms.HiddenInput)
    after = forms.UUIDField(required=False, widget=forms.HiddenInput)
    include_delivered = forms.BooleanField(required=False, widget=forms.HiddenInput)


class ReplayRange(LookFirst):
    """Sends a range again, at most 10,000 events a time."""

    name, label = "replay", "Replay a range"
    look_form, go_form = RangeForm, RangeGoForm

    def look(self, row: EventSubscription, said: Mapping[str, Any]) -> Looked:
        found = replay_events(tenant_id=row.tenant_id, key=row.key, dry_run=True, **_range(said))
        return Looked(f"{found.count} events would be sent again.", rest=_range(said) if found.count else None)

    def go(self, request: HttpRequest, row: EventSubscription, said: Mapping[str, Any]) -> tuple[Looked, Changes]:
        asked = _range(said)
        part = replay_events(tenant_id=row.tenant_id, key=row.key, **asked)
        told = {name: value for name, value in asked.items() if value}
        changes: Changes = {name.replace("_", " "): ["", str(value)] for name, value in told.items()}
        rest = {**asked, "after": part.next_after} if part.next_after else None
        return Looked(f"{part.count} events are sent again.", rest=rest), changes | {"events": [0, part.count]}


REPLAY_RANGE = ReplayRange()


def _range(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: said[name] for name in _RANGE}
