"""The page behind the link of a mail. Looking at it changes nothing; its one button, or a mail program, posts."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from deliveries.preferences.unsubscribe import BadLink, follow, unsubscribe

_PAGE = "deliveries/unsubscribe.html"


@csrf_exempt  # RFC 8058: a mail program posts without cookies; what the link proves is all there is to prove
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe_page(request: HttpRequest, token: str) -> HttpResponse:
    """GET asks, POST does it. A link that is not ours is a 404 that tells nothing."""
    try:
        link = unsubscribe(token) if request.method == "POST" else follow(token)
    except BadLink:
        return render(request, _PAGE, {"link": None}, status=404)
    return render(request, _PAGE, {"link": link, "done": link.is_refused})
