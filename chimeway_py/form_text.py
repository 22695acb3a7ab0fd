"""What pages for people are asked: text that can be stored and shown, or 400 that names where it is not.

REST has its gate and its serializers. Pages have filters, searches, completion, selections and forms, each of which
would have to look by itself: NUL ends a statement of PostgreSQL, and a charset of the client's choice makes text that
nobody can encode again.
"""

import codecs
from collections.abc import Callable, Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.request import QueryDict

_JSON = ("/v1/", "/hooks/")


class FormTextMiddleware:
    """Refuses names and values that are no text, of addresses, cookies, queries, forms and files."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The response, or 400. It comes before whatever looks a session up by its cookie."""
        if request.path_info.startswith(_JSON):
            return self.get_response(request)
        if request.encoding is not None and codecs.lookup(request.encoding).name != "utf-8":
            return _refusal("The form must be UTF-8.")
        return _answer(_asked(request)) or self.get_response(request)

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        """400 for a form that holds what is no text. Whoever may not send a large one has been stopped by now."""
        if request.method != "POST" or request.path_info.startswith(_JSON):
            return None
        try:
            return _answer(_sent(request))
        except UnreadablePostError:
            return _refusal("The form did not come whole.")


def _asked(request: HttpRequest) -> Iterator[tuple[str, str]]:
    yield "the address", request.path_info
    for name, value in request.COOKIES.items():
        yield f"the cookie {name}", f"{name}{value}"
    yield from _pairs(request.GET)


def _sent(request: HttpRequest) -> Iterator[tuple[str, str]]:
    yield from _pairs(request.POST)
    for name, files in request.FILES.lists():
        for file in files:
            yield name, f"{name}{getattr(file, 'name', '')}"


def _pairs(given: QueryDict) -> Iterator[tuple[str, str]]:
    for name, values in given.lists():
        for value in values:
            yield name, f"{name}{value}"


def _answer(found: Iterator[tuple[str, str]]) -> HttpResponse | None:
    for place, text in found:
        if not _is_text(text):
            return _refusal(f"There is a character that is no text in {place[:50]!a}.")
    return None


def _is_text(text: str) -> bool:
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def _refusal(told: str) -> HttpResponse:
    return HttpResponse(told, "text/plain", 400)
