"""Forms of strangers are small: nobody who is not signed in has a file to bring."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from chimeway_py.api.bodies import BodyTooLarge, LengthRequired, declared_length

_BOUNDED = ("/v1/", "/hooks/")  # REST bounds each address by itself, once it knows who sends


class LargeFormsMiddleware:
    """Refuses large bodies of people who are not signed in, before the first byte is read. It follows who signs in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The response, or 413."""
        if not request.path_info.startswith(_BOUNDED) and _is_large(request) and not request.user.is_authenticated:
            return HttpResponse(BodyTooLarge.__doc__, "text/plain", BodyTooLarge.status)
        return self.get_response(request)


def _is_large(request: HttpRequest) -> bool:
    """True for a body that is longer than a form may be, and for one that does not say how long it is."""
    try:
        length = declared_length(request)
    except LengthRequired:
        return True
    return length is None or length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE
