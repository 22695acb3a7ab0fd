"""Every refusal of REST has one body: {code, message, detail, request_id}."""

from collections.abc import Iterator, Mapping
from typing import Any

import structlog
from django import db
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.core.signals import got_request_exception
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

from chimeway_py.api.bodies import BodyTooLarge
from chimeway_py.api.json_gate import pointer
from chimeway_py.errors import ChimewayError, Detail, Invalid, NotFound, fault

RETRY_AFTER = "1"  # seconds; a pool or a database that comes back does so within a few
_PREFIXES = ("/v1/", "/hooks/", "/healthz", "/readyz", "/metrics")


class Unavailable(ChimewayError):
    """The database cannot answer now. Nothing was written; try again."""

    code = "unavailable"
    status = 503
    retryable = True


class Broken(ChimewayError):
    """Something went wrong on our side; it is logged under the request id. Nothing was written."""

    code = "internal_error"
    status = 500


class Refused(ChimewayError):
    """What the framework refuses, in our words."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(message)
        self.code, self.status = code, status  # type: ignore[misc]


def answer_error(error: Exception, context: Mapping[str, Any]) -> Response:
    """The response to any exception of a view, with the headers its status calls for."""
    refusal = as_refusal(error)
    if isinstance(refusal, Broken):
        _report(error, context.get("request"))
    elif isinstance(refusal, Unavailable):
        structlog.get_logger(__name__).warning("database_unavailable", error=type(error).__name__)
    return Response(body_of(refusal), status=refusal.status, headers=_headers(refusal, error))


def as_refusal(error: Exception) -> ChimewayError:
    """Any exception as one of ours; what nobody foresaw is `Broken`."""
    match error:
        case ChimewayError():
            return error
        case exceptions.ValidationError():
            return Invalid("The request is not valid.", list(faults_of(error.detail)))
        case Http404() | exceptions.NotFound():
            return NotFound()
        case PermissionDenied():
            return Refused("permission_denied", 403, "This is not allowed.")
        case RequestDataTooBig():
            return BodyTooLarge()
        case exceptions.APIException():
            return Refused(_code(error), error.status_code, str(error.detail))
        case db.OperationalError() | db.InterfaceError() | db.InternalError():
            return Unavailable()
    return Broken()


def body_of(refusal: ChimewayError) -> dict[str, Any]:
    """The one error body."""
    return {
        "code": refusal.code,
        "message": refusal.message,
        "detail": refusal.detail,
        "request_id": request_id(),
    }


def request_id() -> str:
    """The id that this request has in the logs; empty outside a request."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


def faults_of(detail: Any, path: str = "") -> Iterator[dict[str, str]]:
    """The faults that a serializer found, each with the JSON Pointer of its field."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from faults_of(inner, path if name == "non_field_errors" else pointer(path, name))
    elif isinstance(detail, list) and any(isinstance(item, Mapping | list) for item in detail):
        for index, inner in enumerate(detail):
            yield from faults_of(inner, pointer(path, index))
    else:
        for message in detail if isinstance(detail, list) else [detail]:
            yield fault(path, getattr(message, "code", None) or "invalid", str(message))


def answer_bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """400 for what never reached a view (Django's handler400)."""
    if not _speaks_json(request):
        return defaults.bad_request(request, exception)
    return _json(Refused("bad_request", 400, "The request is not valid."))


def answer_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """404 for an address that does not exist (Django's handler404): the body of any missing object."""
    return _json(NotFound()) if _speaks_json(request) else defaults.page_not_found(request, exception)


def answer_broken(request: HttpRequest) -> HttpResponseBase:
    """500 for what no view caught (Django's handler500)."""
    return _json(Broken()) if _speaks_json(request) else defaults.server_error(request)


def _speaks_json(request: HttpRequest) -> bool:
    return request.path.startswith(_PREFIXES)


def _json(refusal: ChimewayError) -> JsonResponse:
    return JsonResponse(body_of(refusal), status=refusal.status)


def _code(error: exceptions.APIException) -> str:
    codes = error.get_codes()
    return codes if isinstance(codes, str) else error.default_code


def _headers(refusal: ChimewayError, error: Exception) -> dict[str, str]:
    headers = dict(refusal.headers)
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if refusal.status in {429, 503}:
        headers["Retry-After"] = str(int(getattr(error, "wait", None) or 0) or RETRY_AFTER)
    return headers


def _report(error: Exception, request: Any) -> None:
    """Tell whoever listens (the log, an error tracker) of an exception nobody foresaw, as Django itself would."""
    if request is None:
        structlog.get_logger(__name__).error("request_broken", exc_info=error)
    else:
        got_request_exception.send(sender=None, request=getattr(request, "_request", request))


__all__ = [
    "Broken",
    "Detail",
    "Refused",
    "Unavailable",
    "answer_error",
    "as_refusal",
    "body_of",
    "faults_of",
    "request_id",
]
