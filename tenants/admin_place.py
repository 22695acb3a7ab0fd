"""Where the admin is: what concerns only its pages asks this first, as most requests are for the API."""

from functools import cache

from django.http import HttpRequest
from django.urls import reverse


@cache
def admin_root() -> str:
    """The path that all pages of the admin begin with."""
    return reverse("admin:index")


def is_of_admin(request: HttpRequest) -> bool:
    """Whether the request is for a page of the admin."""
    return request.path_info.startswith(admin_root())
