"""Operator accounts: made and switched off by superusers. What an account may do is said by its memberships."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from django.urls import URLPattern, path

from chimeway_py.addresses import address_of
from tenants.admin.second_factor import second_factor_view

admin.site.unregister([User, Group])


@admin.register(User)
class AccountAdmin(UserAdmin):  # type: ignore[type-arg]  # not subscriptable when it runs
    """Accounts are not deleted, because the record of what they did names them: take `active` away instead.

    Only superusers see them: the list shows the people of every tenant.
    """

    list_display = ("username", "email", "first_name", "last_name", "is_staff", "is_superuser", "is_active")
    list_filter = ("is_staff", "is_superuser", "is_active")
    filter_horizontal = ()
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Who", {"fields": ("first_name", "last_name", "email")}),
        ("What they may do", {"fields": ("is_active", "is_staff", "is_superuser")}),
        ("When", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")

    def get_urls(self) -> list[URLPattern]:
        """Also the page on which every operator, superuser or not, sets up a second factor."""
        mine = self.admin_site.admin_view(second_factor_view)
        return [path("second-factor/", mine, name="second_factor"), *super().get_urls()]

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """What was before and after, and from where. Django's own log keeps it; the app role cannot change that."""
        if add:
            return f"Made, from {address_of(request)}."
        was, now = form.initial, form.cleaned_data
        names = [name for name in form.changed_data if name in was and "password" not in name]
        told = [f"{name}: {was[name] or None if name == 'email' else was[name]} → {now[name]}" for name in names]
        hidden = ["password"] if len(names) < len(form.changed_data) else []
        return "; ".join([*told, *hidden, f"from {address_of(request)}"])

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)
