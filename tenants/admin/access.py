"""Who has access: API keys of programs, memberships of people."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.http import HttpRequest

from chimeway_py.errors import Invalid, fault
from tenants.admin import words
from tenants.admin.actions import ReasonedAction
from tenants.admin.filters import TenantFilter
from tenants.admin.pages import Button, Page
from tenants.admin.paging import ref_of
from tenants.admin.writes import WIDE, ServiceForm, WritingAdmin
from tenants.models import ApiKey, Membership, Role
from tenants.models.api_key import Scope
from tenants.services import create_api_key, remove_membership, revoke_api_key, rotate_api_key, set_role
from tenants.services.api_keys import is_live
from tenants.services.operators import Act


class ApiKeyForm(ServiceForm):
    """A new key."""

    name = forms.CharField(max_length=100, widget=WIDE, help_text="Who will speak with it.")
    scopes = forms.MultipleChoiceField(choices=Scope.choices, widget=forms.CheckboxSelectMultiple)
    expires_at = forms.DateTimeField(required=False, help_text="UTC, such as 2027-01-31 12:00; empty for never.")


class RevokeKeys(ReasonedAction):
    """Ends keys at once."""

    name, verb, role = "revoke", "Revoke", Role.ADMIN

    def forecast(self, row: ApiKey) -> str:
        if row.revoked_at is not None:
            return "It is revoked already: refused."
        return f"Whoever sends cw_{row.prefix}_… gets 401 from the next request on. This cannot be undone."

    def carry_out(self, request: HttpRequest, tenant_id: int, rows: Sequence[ApiKey], reason: str) -> Iterable[Act]:
        for row in rows:
            refusal = "it was revoked before" if row.revoked_at is not None else ""
            revoke_api_key(tenant_id=tenant_id, public_id=row.public_id)
            yield Act("apikey", ref_of(row), refusal)


@admin.register(ApiKey)
class ApiKeyAdmin(WritingAdmin):
    """Issue (the secret is shown once), rotate, revoke. Nothing else of a key can change."""

    form_class = ApiKeyForm
    may_change = False
    rotates = True
    list_display = ["name", "tenant", "starts_with", "shown_scopes", "status", "created_at", "expires_at"]
    list_filter = [TenantFilter]
    search_fields = ["name", "=prefix"]
    actions = [RevokeKeys()]

    @admin.display(description="Starts with")
    def starts_with(self, row: ApiKey) -> str:
        return f"cw_{row.prefix}_…"

    @admin.display(description="Scopes")
    def shown_scopes(self, row: ApiKey) -> str:
        return "every scope" if set(row.scopes) >= set(Scope.values) else ", ".join(row.scopes)

    @admin.display(description="Status")
    def status(self, row: ApiKey) -> str:
        dead = "revoked" if row.revoked_at is not None else "expired"
        return words.badge("live" if is_live(row, words.now()) else dead)

    def write(self, request: HttpRequest, tenant_id: int, said: dict[str, Any], row: Any) -> tuple[ApiKey, str]:
        issued = create_api_key(
            tenant_id=tenant_id, name=said["name"], scopes=said["scopes"], expires_at=said["expires_at"]
        )
        return issued.row, issued.token

    def rotate(self, row: ApiKey, overlap: timedelta) -> tuple[ApiKey, str]:
        issued = rotate_api_key(tenant_id=row.tenant_id, public_id=row.public_id, overlap=overlap)
        return issued.row, issued.token

    def page(self, request: HttpRequest, row: ApiKey) -> Page:
        facts = [
            ("Starts with", self.starts_with(row)),
            ("Status", self.status(row)),
            ("Scopes", self.shown_scopes(row)),
            ("Created", words.moment(row.created_at)),
            ("Expires", words.moment(row.expires_at)),
            ("Revoked", words.moment(row.revoked_at)),
            ("Replaced by", words.link(row.replaced_by)),
        ]
        revoke = [Button("Revoke", action="revoke")] if row.revoked_at is None else []
        return Page(row.name, facts=facts, buttons=[*self.write_buttons(request, row), *revoke])


class MembershipForm(ServiceForm):
    """An account and its role. Accounts are typed, not chosen: a list would show the people of other tenants."""

    username = forms.CharField(max_length=150)
    role = forms.ChoiceField(choices=Role.choices, initial=Role.OPERATOR)


class RemoveMemberships(ReasonedAction):
    """Takes tenants out of operators' sight."""

    name, verb, role = "remove", "Remove", Role.ADMIN

    def forecast(self, row: Membership) -> str:
        return f"{row.user} no longer sees {row.tenant}, from the next request on."

    def carry_out(self, request: HttpRequest, tenant_id: int, rows: Sequence[Membership], reason: str) -> Iterable[Act]:
        for row in rows:
            there = remove_membership(tenant_id=tenant_id, user_id=row.user_id)
            yield Act("membership", str(row.user), "" if there else "it was gone already")


@admin.register(Membership)
class MembershipAdmin(WritingAdmin):
    """Who sees which tenant, in which role."""

    form_class = MembershipForm
    list_display = ["user", "tenant", "role", "created_at"]
    list_select_related = ("tenant", "user")
    list_filter = [TenantFilter, "role"]
    search_fields = ["=user__username"]
    actions = [RemoveMemberships()]

    def initial(self, row: Membership) -> dict[str, Any]:
        return {"username": row.user.get_username(), "role": row.role}

    def write(self, request: HttpRequest, tenant_id: int, said: dict[str, Any], row: Any) -> tuple[Membership, str]:
        user = get_user_model().objects.filter(username=said["username"], is_staff=True).first()
        if user is None:
            raise Invalid("No such operator.", [fault("/username", "unknown", "No operator account has this name.")])
        return set_role(tenant_id=tenant_id, user_id=user.pk, role=Role(said["role"])), ""

    def page(self, request: HttpRequest, row: Membership) -> Page:
        facts = [("Tenant", row.tenant), ("Role", words.badge(row.role)), ("Since", words.moment(row.created_at))]
        buttons = [*self.write_buttons(request, row), Button("Remove", action="remove")]
        return Page(str(row.user), facts=facts, buttons=buttons)
