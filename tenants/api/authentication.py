"""Who calls: the API key in a request, and whether it may do what is asked."""

from typing import TYPE_CHECKING, Any, ClassVar

import structlog
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from chimeway_py.errors import ChimewayError
from tenants.services import Caller, find_caller

if TYPE_CHECKING:  # REST framework loads this module while it loads its views
    from rest_framework.views import APIView


class NotAuthenticated(ChimewayError):
    """Send a live API key: `Authorization: Bearer cw_…` or `X-Api-Key: cw_…`."""

    code = "not_authenticated"
    status = 401


class TenantSuspended(ChimewayError):
    """This tenant is suspended."""

    code = "tenant_suspended"
    status = 403


class MissingScope(ChimewayError):
    """The key does not have the scope that this request needs. `detail` names it."""

    code = "missing_scope"
    status = 403


class ApiKeyAuthentication(BaseAuthentication):
    """A live key becomes `request.auth`, a `Caller`. There is no user: a key speaks for a tenant."""

    def authenticate(self, request: Request) -> tuple[None, Caller]:
        """The caller. Raises `NotAuthenticated` and `TenantSuspended`; why a key is dead is told only to its holder."""
        found = find_caller(_token(request))
        if isinstance(found, Caller):
            structlog.contextvars.bind_contextvars(tenant_id=found.tenant_id, api_key=found.prefix)
            return None, found
        if found == "suspended":
            raise TenantSuspended
        raise NotAuthenticated if found == "unknown" else NotAuthenticated(f"This API key is {found}.")

    def authenticate_header(self, request: Request) -> str:
        """The challenge of a 401."""
        return "Bearer"


class HasScope(BasePermission):
    """The key has the scope that `view.scopes` names for the method; None there means that any live key will do."""

    safe_alias: ClassVar[dict[str, str]] = {"HEAD": "GET"}

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """True, or `MissingScope`. A method that a view answers without naming a scope is refused."""
        method = self.safe_alias.get(str(request.method), str(request.method))
        scopes = getattr(view, "scopes", {})
        if method not in scopes:
            return False
        if scopes[method] is not None:
            need_scope(request, scopes[method])
        return True


def need_scope(request: Request, wanted: str) -> None:
    """Raise `MissingScope` unless the key that asks has the scope."""
    if wanted not in caller_of(request).scopes:
        raise MissingScope(f"The key needs the scope {wanted}.", {"scope": str(wanted)})


def caller_of(request: Request) -> Caller:
    """Who sent the request. Raises `NotAuthenticated` when nobody was asked."""
    caller: Any = request.auth
    if isinstance(caller, Caller):
        return caller
    raise NotAuthenticated


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else request.headers.get("X-Api-Key", "").strip()
