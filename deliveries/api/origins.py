"""Which pages of other origins may ask for inboxes: those that `INBOX_ORIGINS` names, and only at `/v1/inbox/`."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

PLACE = "/v1/inbox/"
ALLOWED = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Last-Event-ID",
    "Access-Control-Max-Age": "600",
}


class InboxOriginsMiddleware:
    """Answers a browser that asks whether it may, and lets it read answers. Cookies count for nothing at REST."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The response; of a named origin with the headers that a browser needs."""
        origin = request.headers.get("Origin", "")
        if not request.path_info.startswith(PLACE) or origin not in settings.INBOX_ORIGINS:
            return self.get_response(request)
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            response = HttpResponse(status=204, headers=ALLOWED)
        else:
            response = self.get_response(request)
            response["Access-Control-Expose-Headers"] = "RateLimit, RateLimit-Policy, Retry-After, X-Request-Id"
        response["Access-Control-Allow-Origin"] = origin
        response["Vary"] = "Origin"
        return response
