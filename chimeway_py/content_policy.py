"""What a browser may load: what we serve ourselves, and nothing else. No page has an exception."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

POLICY = "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"


class ContentPolicyMiddleware:
    """Puts the policy on every response: scripts and styles written into a page, by us or by others, do not run."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The response, with the header."""
        response = self.get_response(request)
        response["Content-Security-Policy"] = POLICY
        return response
