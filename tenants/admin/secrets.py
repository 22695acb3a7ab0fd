"""Secrets that steps name: stored and replaced here, shown never."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from tenants.admin import words
from tenants.admin.filters import TenantFilter
from tenants.admin.pages import Page
from tenants.admin.writes import WIDE, ServiceForm, WritingAdmin
from tenants.models import Secret
from tenants.services.secrets import put_secret


class SecretValue(ServiceForm):
    """A value."""

    value = forms.CharField(
        required=False, max_length=4096, widget=WIDE, help_text="Empty to have one made, which is then shown once."
    )
    overlap_hours = forms.IntegerField(
        min_value=0, max_value=720, initial=0, help_text="How long those of before count."
    )


class SecretForm(SecretValue):
    """A new secret."""

    key = forms.CharField(max_length=64, help_text="1 to 64 of a-z, 0-9 and _.")
    field_order = ["key", "value", "overlap_hours"]


@admin.register(Secret)
class SecretAdmin(WritingAdmin):
    """Named secrets, without their values."""

    form_class = SecretForm
    change_class = SecretValue
    list_display = ["key", "tenant", "live", "updated_at"]
    list_filter = [TenantFilter]
    search_fields = ["key"]

    def write(self, request: HttpRequest, tenant_id: int, said: dict[str, Any], row: Any) -> tuple[Secret, str]:
        key = row.key if row is not None else said["key"]
        overlap = timedelta(hours=said["overlap_hours"])
        stored = put_secret(tenant_id=tenant_id, key=key, value=said["value"], overlap=overlap)
        return stored.secret, stored.made

    def page(self, request: HttpRequest, row: Secret) -> Page:
        facts = [
            ("Values", len(row.entries)),
            ("Created", words.moment(row.created_at)),
            ("Changed", words.moment(row.updated_at)),
        ]
        return Page(row.key, facts=facts, buttons=self.write_buttons(request, row))

    @admin.display(description="Values")
    def live(self, row: Secret) -> int:
        return len(row.entries)
