"""The page on which operators change their own password. That they did stands in the history of the account."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.forms import AdminPasswordChangeForm
from django.contrib.auth.views import PasswordChangeView
from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse_lazy

from chimeway_py.addresses import address_of
from tenants.second_factor.record import note


class OwnPasswordView(PasswordChangeView):
    """Django's page, with a record: whoever took an account over begins here."""

    form_class = AdminPasswordChangeForm
    success_url = reverse_lazy("admin:password_change_done")

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        """Change it and say so, or neither."""
        answer = super().form_valid(form)
        account = self.request.user
        note(account=account, by=account, what=f"own password changed, from {address_of(self.request)}")
        return answer


site: Any = admin.site
site.password_change_view = OwnPasswordView
