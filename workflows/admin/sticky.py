"""Cancels that wait for runs still to come: placed with a lifetime, and lifted."""

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from chimeway_py.errors import ChimewayError, Invalid, fault
from chimeway_py.text import LONGEST_REASON
from tenants.admin import words
from tenants.admin.actions import ReasonedAction
from tenants.admin.filters import TenantFilter
from tenants.admin.pages import Button, Page
from tenants.admin.paging import ref_of
from tenants.admin.writes import WIDE, ServiceForm, WritingAdmin
from tenants.models import Role
from tenants.operator_scope import operator_of
from tenants.services.operators import Act, check_reason
from workflows.definitions.durations import parse_duration
from workflows.models import StickyCancel
from workflows.services.cancel_by_key import Key, cancel_by_key, lift_sticky_cancel
from workflows.states import Cause


class StickyForm(ServiceForm):
    """Which runs, for how long, and why."""

    idempotency_key = forms.CharField(max_length=255, required=False, strip=False, widget=WIDE)
    correlation = forms.CharField(
        max_length=251, required=False, strip=False, widget=WIDE, help_text="Instead of a key: invoice_id=INV-7"
    )
    workflow = forms.CharField(max_length=64, required=False, help_text="The key of a definition; empty: any.")
    ttl = forms.CharField(max_length=40, initial="P1D", label="For", help_text="PT1H, P1D; at most P90D.")
    compensate = forms.BooleanField(required=False, help_text="Undo what the live runs under it did.")
    reason = forms.CharField(max_length=LONGEST_REASON, widget=WIDE)


class Lift(ReasonedAction):
    """Lets runs start again."""

    name, verb = "lift", "Lift"

    def forecast(self, row: StickyCancel) -> str:
        return "Runs under it start again. Those that were cancelled stay so."

    def carry_out(
        self, request: HttpRequest, tenant_id: int, rows: Sequence[StickyCancel], reason: str
    ) -> Iterable[Act]:
        for row in rows:
            try:
                lift_sticky_cancel(tenant_id=tenant_id, public_id=row.public_id)
            except ChimewayError as error:
                yield Act("stickycancel", ref_of(row), error.message)
            else:
                yield Act("stickycancel", ref_of(row))


@admin.register(StickyCancel)
class StickyCancelAdmin(WritingAdmin):
    """Those whose time is not over. A new one also cancels the live runs under its key."""

    write_role = Role.OPERATOR
    form_class = StickyForm
    may_change = False
    list_display = ["mark", "tenant", "workflow", "reason", "cause_ref", "left", "created_at"]
    list_filter = [TenantFilter]
    search_fields = ["=mark", "=workflow"]
    search_help_text = "@key=<idempotency key>, or <correlation name>=<value>"
    actions = [Lift()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(until__gt=words.now())

    @admin.display(description="Until", ordering="until")
    def left(self, row: StickyCancel) -> str:
        return words.ago(row.until)

    def write(self, request: HttpRequest, tenant_id: int, said: dict[str, Any], row: Any) -> tuple[StickyCancel, str]:
        name, _, value = said["correlation"].partition("=")
        done = cancel_by_key(
            tenant_id=tenant_id,
            key=Key(said["idempotency_key"], {name: value} if name else {}, said["workflow"]),
            cause=Cause.OPERATOR,
            cause_ref=operator_of(request).username,
            reason=check_reason(said["reason"]),
            sticky_for=_duration(said["ttl"]),
            compensate=said["compensate"],
        )
        assert done.sticky is not None
        moved = sum(one.verdict == "moved" for one in done.verdicts)
        self.message_user(request, f"{moved} live runs under it were cancelled.", messages.INFO)
        return done.sticky, ""

    def page(self, request: HttpRequest, row: StickyCancel) -> Page:
        return Page(
            title=row.mark,
            lead="Runs that start under it are cancelled as they are made.",
            tone="calm",
            facts=[
                ("Workflow", row.workflow or "any"),
                ("Until", words.moment(row.until)),
                ("Reason", row.reason or "–"),
                ("By", f"{row.cause} {row.cause_ref}"),
                ("Placed", words.moment(row.created_at)),
                ("Public id", row.public_id),
            ],
            buttons=[Button("Lift", action="lift")],
        )


def _duration(text: str) -> Any:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise Invalid("The cancel is not valid.", [fault("/ttl", "duration", str(error))]) from error
