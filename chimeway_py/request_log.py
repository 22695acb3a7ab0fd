"""Logs of requests: one line each, with the ids of what it was about. Paths and queries may name people."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import structlog
from django.http import HttpRequest, HttpResponse
from django_structlog.middlewares import RequestMiddleware

from chimeway_py.safe_log import route_of

NOT_LOGGED = {"/healthz", "/readyz", "/metrics"}  # asked every few seconds, by machines
ID_NAMES = {"runs": "run_id", "run": "run_id", "signals": "signal_id", "signal": "signal_id"}


class RequestLogMiddleware(RequestMiddleware):
    """Binds the request id to everything that is logged meanwhile, and the run or signal that the address names."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The response, with a line about it in the log."""
        if request.path_info in NOT_LOGGED:
            return cast(HttpResponse, self.get_response(request))
        return cast(HttpResponse, super().__call__(request))

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        """Method and route. A path may hold a subject, a query search terms."""
        return f"{request.method} {route_of(request)}"

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> None:
        """Bind the id that the address names, by the word before it: /v1/runs/<id>, /admin/workflows/run/<id>."""
        for value in kwargs.values():
            before = request.path_info.partition(f"/{value}")[0].rsplit("/", 1)[-1]
            if before in ID_NAMES:
                structlog.contextvars.bind_contextvars(**{ID_NAMES[before]: str(value)})
