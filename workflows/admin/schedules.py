"""Schedules: what starts by the calendar, when it did so last, and what was left out."""

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from chimeway_py.errors import ChimewayError
from chimeway_py.text import utc_minute
from tenants.admin import words
from tenants.admin.actions import ReasonedAction
from tenants.admin.filters import TenantFilter
from tenants.admin.json_field import JSONText
from tenants.admin.pages import Button, Page, Section
from tenants.admin.paging import ref_of
from tenants.admin.writes import WIDE, ServiceForm, WritingAdmin
from tenants.models import Role
from tenants.services.operators import Act
from workflows.models import MissedPolicy, Schedule
from workflows.services.firing import data_of
from workflows.services.schedules import change_schedule, create_schedule, delete_schedule, upcoming

MOST_SHOWN = 20


class ChangeForm(ServiceForm):
    """What of a schedule may change."""

    workflow = forms.CharField(max_length=64, help_text="The key of a published definition.")
    version = forms.IntegerField(
        min_value=1, max_value=2**31 - 1, required=False, help_text="Empty: the latest, each time."
    )
    expression = forms.CharField(
        max_length=100, widget=WIDE, help_text="Minute, hour, day of the month, month, weekday: 0 9 * * 1-5"
    )
    zone = forms.CharField(max_length=64, required=False, help_text="Such as Europe/Berlin; empty: the tenant's own.")
    subjects = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 6, "cols": 80, "spellcheck": "false"}), help_text="One in a line."
    )
    correlation = JSONText(initial=dict, required=False)
    data = JSONText(initial=dict, required=False, help_text="What each run starts with.")  # type: ignore[assignment]
    missed = forms.ChoiceField(choices=MissedPolicy.choices, initial=MissedPolicy.LATEST)
    most_missed = forms.IntegerField(min_value=1, max_value=100, initial=10, help_text="Of the policy “all”.")
    enabled = forms.BooleanField(required=False, initial=True)


class ScheduleForm(ChangeForm):
    """A new schedule."""

    key = forms.CharField(max_length=64, help_text="Lower-case letters, digits and _. It cannot be changed.")
    field_order = ["key", "workflow"]


class ScheduleAction(ReasonedAction):
    """An action on schedules, one by one."""

    role = Role.ADMIN

    def carry_out(self, request: HttpRequest, tenant_id: int, rows: Sequence[Schedule], reason: str) -> Iterable[Act]:
        for row in rows:
            try:
                self.change(tenant_id, row.key)
            except ChimewayError as error:
                yield Act("schedule", ref_of(row), error.message)
            else:
                yield Act("schedule", ref_of(row))

    def change(self, tenant_id: int, key: str) -> None:
        """Call the service. Raises `ChimewayError`."""
        raise NotImplementedError


class Enable(ScheduleAction):
    """Switches schedules on."""

    name, verb = "enable", "Enable"

    def forecast(self, row: Schedule) -> str:
        return "It fires from its next occurrence on. Nothing is made up for."

    def change(self, tenant_id: int, key: str) -> None:
        change_schedule(tenant_id=tenant_id, key=key, changes={"enabled": True})


class Disable(ScheduleAction):
    """Switches schedules off."""

    name, verb = "disable", "Disable"

    def forecast(self, row: Schedule) -> str:
        return "It starts nothing until it is enabled. Its runs go on."

    def change(self, tenant_id: int, key: str) -> None:
        change_schedule(tenant_id=tenant_id, key=key, changes={"enabled": False})


class Delete(ScheduleAction):
    """Forgets schedules."""

    name, verb = "delete", "Delete"

    def forecast(self, row: Schedule) -> str:
        return "It is forgotten; its runs stay. This cannot be undone."

    def change(self, tenant_id: int, key: str) -> None:
        delete_schedule(tenant_id=tenant_id, key=key)


@admin.register(Schedule)
class ScheduleAdmin(WritingAdmin):
    """Schedules; written through services."""

    form_class = ScheduleForm
    change_class = ChangeForm
    list_display = [
        "key",
        "tenant",
        "definition_key",
        "expression",
        "zone",
        "enabled",
        "next_due",
        "started",
        "refusal",
    ]
    list_filter = [TenantFilter, "enabled", "missed"]
    search_fields = ["=key", "=definition_key"]
    actions = [Enable(), Disable(), Delete()]

    @admin.display(description="Next", ordering="next_at")
    def next_due(self, row: Schedule) -> str:
        return words.ago(row.next_at)

    @admin.display(description="Last started")
    def started(self, row: Schedule) -> str:
        return words.ago(row.started_at) or "never"

    def initial(self, row: Schedule) -> dict[str, Any]:
        same = ("version", "expression", "zone", "correlation", "missed", "most_missed", "enabled")
        said = {name: getattr(row, name) for name in same}
        whom = "\n".join(row.subjects)
        return said | {"workflow": row.definition_key, "subjects": whom, "data": data_of(row)}

    def write(self, request: HttpRequest, tenant_id: int, said: dict[str, Any], row: Any) -> tuple[Schedule, str]:
        given = {name: value for name, value in said.items() if name not in {"tenant", "workflow", "key"}}
        given |= {"definition_key": said["workflow"], "subjects": said["subjects"].split("\n")}
        given |= {name: given[name] or {} for name in ("correlation", "data")}
        given["subjects"] = [one.strip() for one in given["subjects"] if one.strip()]
        if row is None:
            return create_schedule(tenant_id=tenant_id, key=said["key"], **given), ""
        given["zone"] = given["zone"] or row.zone
        return change_schedule(tenant_id=tenant_id, key=row.key, changes=given), ""

    def page(self, request: HttpRequest, row: Schedule) -> Page:
        switch = Button("Disable", action="disable") if row.enabled else Button("Enable", action="enable")
        return Page(
            title=row.key,
            lead="" if row.enabled else "It is switched off: it starts nothing.",
            tone="calm",
            facts=_facts(row),
            buttons=[*self.write_buttons(request, row), switch, Button("Delete", action="delete")],
            sections=[
                Section("Next", ["Occurrence"], [[words.moment(one)] for one in upcoming(row, words.now())]),
                Section("Starts a run for each", ["Subject"], [[one] for one in row.subjects[:MOST_SHOWN]]),
            ],
        )


def _facts(row: Schedule) -> list[tuple[str, Any]]:
    refused = f"{row.refusal.replace('_', ' ')}, at {utc_minute(row.refused_at)}" if row.refused_at else "–"
    return [
        (
            "Workflow",
            f"{row.definition_key} v{row.version}" if row.version else f"{row.definition_key}, latest version",
        ),
        ("Expression", row.expression),
        ("Zone", row.zone),
        ("Subjects", len(row.subjects)),
        ("Correlation", words.pairs(row.correlation)),
        ("Missed occurrences", f"{row.missed}, {row.most_missed} at most" if row.missed == "all" else row.missed),
        ("Last started", words.moment(row.started_at)),
        ("Last left out", words.moment(row.skipped_at)),
        ("Last refused", refused),
        ("Changed", words.moment(row.updated_at)),
    ]
