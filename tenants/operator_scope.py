"""The scope of a person at the admin: one transaction per request that sees the tenants of their memberships.

Templates are rendered inside it, so that a queryset that is evaluated late still sees what the view saw.
"""

from collections.abc import Callable
from typing import Any

import structlog
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from chimeway_py.addresses import address_of
from tenants.admin_place import is_of_admin
from tenants.models import Role
from tenants.scope import current_scope, scope_of
from tenants.services.operators import Operator, memberships_of_user

NOBODY = Operator(0, "", {})


class OperatorScopeMiddleware:
    """Runs every admin request of a signed-in operator in the scope of the tenants they are a member of.

    Row-level security does the rest: without a membership the admin is empty, for superusers too.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The response of the view, committed unless the view raised."""
        if not is_of_admin(request) or not _is_staff(request.user):
            return self.get_response(request)
        operator = _operator(request.user, address_of(request))
        request.operator = operator  # type: ignore[attr-defined]
        structlog.contextvars.bind_contextvars(operator=operator.username)
        with scope_of(operator.roles):
            return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Undo what a view wrote before it raised: Django answers for it before the scope gets to see the error."""
        if current_scope() is not None:
            transaction.set_rollback(True)


def operator_of(request: HttpRequest) -> Operator:
    """Who asks, as the middleware found them; nobody, with no roles, outside the admin."""
    return getattr(request, "operator", NOBODY)


def _is_staff(user: Any) -> bool:
    return bool(user.is_active and user.is_staff)


def _operator(user: Any, address: str) -> Operator:
    """A superuser is an admin of the tenants it is a member of, and of no others."""
    roles = memberships_of_user(user.pk)
    if user.is_superuser:
        roles = dict.fromkeys(roles, Role.ADMIN)
    return Operator(user.pk, user.get_username(), roles, address)
