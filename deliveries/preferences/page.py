"""The page behind the link of a mail. Looking at it changes nothing; its one button, or a mail program, posts."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from deliveries.preferences.links import BadLink
from deliveries.preferences.unsubscribe import follow, unsubscribe

_PAGE = "deliveries/unsubscribe.html"


@csrf_exempt  # RFC 8058: a mail program posts without cookies; what the link proves is all there is to prove
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe_page(request: HttpRequest, token: str) -> HttpResponse:
    """GET asks, POST does it. A link that is not ours is a 404 that tells nothing.

    A post about what is required by now is a 409, so that no mail program says that it has unsubscribed anybody.
    """
    posted = request.method == "POST"
    try:
        link = unsubscribe(token) if posted else follow(token)
    except BadLink:
        return render(request, _PAGE, {"link": None}, status=404)
    done = link.is_refused and not link.is_required
    return render(request, _PAGE, {"link": link, "done": done}, status=409 if posted and link.is_required else 200)
