"""Erasing a subject at the admin, and the record of who did so. The record does not say whom."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from signals_app.models import SubjectErasure
from signals_app.subjects.erase import erase_subject, pseudonym_of
from tenants.admin import words
from tenants.admin.filters import TenantFilter
from tenants.admin.pages import Page
from tenants.admin.writes import WIDE, ServiceForm, WritingAdmin
from tenants.operator_scope import operator_of
from tenants.services.operators import check_reason


class EraseForm(ServiceForm):
    """Whom to erase, and why."""

    subject = forms.CharField(max_length=200, strip=False, widget=WIDE)
    reason = forms.CharField(max_length=200, widget=WIDE, help_text="For the record; nothing personal.")
    sure = forms.BooleanField(
        label="Erase for good",
        help_text="Live runs are cancelled, payloads deleted, the inbox emptied. It cannot be undone.",
    )


@admin.register(SubjectErasure)
class SubjectErasureAdmin(WritingAdmin):
    """Erasures. A new one erases; nothing of an old one changes."""

    form_class = EraseForm
    may_change = False
    list_display = ["erased_at", "tenant", "shown_subject", "cause", "cause_ref", "reason"]
    list_filter = [TenantFilter, "cause"]
    search_fields = ["=cause_ref"]
    search_help_text = "Who asked for it"

    @admin.display(description="Known now as")
    def shown_subject(self, row: SubjectErasure) -> str:
        return pseudonym_of(bytes(row.digest))

    def write(self, request: HttpRequest, tenant_id: int, said: dict[str, Any], row: Any) -> tuple[SubjectErasure, str]:
        erased = erase_subject(
            tenant_id=tenant_id,
            subject=said["subject"],
            cause="operator",
            cause_ref=operator_of(request).username,
            reason=check_reason(said["reason"]),
        )
        return SubjectErasure.objects.get(tenant_id=tenant_id, public_id=str(erased.record)), ""

    def page(self, request: HttpRequest, row: SubjectErasure) -> Page:
        counts = [(what.replace("_", " ").capitalize(), number) for what, number in row.counts.items()]
        facts = [
            ("Known now as", pseudonym_of(bytes(row.digest))),
            ("Erased", words.moment(row.erased_at)),
            ("By", f"{row.cause} {row.cause_ref}"),
            ("Reason", row.reason or "–"),
            *counts,
        ]
        return Page("Erased subject", facts=facts)
