"""No page of the admin without the second factor of an account that has one, or has to have one."""

from collections.abc import Callable

from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from tenants.admin_place import is_of_admin
from tenants.second_factor.factors import factor_of, is_required
from tenants.second_factor.sign_in import PROVED


class SecondFactorMiddleware:
    """Ends sessions that have not shown the factor, and leads to its set-up whoever must have one and has none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The page, or the way to where the factor is shown or set up."""
        return self._way(request) or self.get_response(request)

    def _way(self, request: HttpRequest) -> HttpResponse | None:
        if not is_of_admin(request) or not request.user.is_active or not request.user.is_staff:
            return None
        path = request.path_info
        free = {reverse("admin:login"), reverse("admin:logout"), reverse("admin:second_factor")}
        factor = factor_of(int(request.user.pk))
        if factor is not None and request.session.get(PROVED) != factor.pk:
            logout(request)
            return redirect_to_login(path, reverse("admin:login"))
        if factor is None and path not in free and is_required(is_superuser=bool(request.user.is_superuser)):
            return HttpResponseRedirect(reverse("admin:second_factor"))
        return None
