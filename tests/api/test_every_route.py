"""Every address that the service answers, as Django resolves it: an operation that is swept, or here with its reason.

The sweep of `test_tenancy_sweep.py` reads the OpenAPI document; a view that the document leaves out would pass it by.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, get_resolver, include, path
from django.views.decorators.csrf import csrf_exempt
from rest_framework.views import APIView

from tests.api.test_tenancy_sweep import PATHS, VERBS
from tests.named_tests import unknown_tests

Pattern = URLPattern | URLResolver
PART = re.compile(r"<(?:\w+:)?(\w+)>")

#: Routes that are no operation: why they name nothing of a tenant, and the test that holds what they do.
ELSEWHERE = {
    "": ("leads to the admin", "tests/admin/test_home.py::test_the_bare_address_leads_to_the_admin"),
    "healthz": ("says that the process is alive", "tests/health/test_probes.py::test_alive_asks_nobody"),
    "readyz": ("says whether the database answers", "tests/health/test_probes.py::test_not_ready"),
    "metrics": (
        "sums over all tenants, for a token or this machine",
        "tests/health/test_metrics.py::test_without_a_token_only_this_machine_reads",
    ),
    "v1/openapi.json": (
        "the document itself, the same for everybody",
        "tests/api/test_tenancy_sweep.py::test_every_address_has_an_entry",
    ),
    "unsubscribe/<str:token>": (
        "names a tenant and a person only by a signed token",
        "tests/deliveries/test_unsubscribe.py::test_a_link_that_lies_is_not_found",
    ),
    "^(v1|hooks)/": (
        "404 for every address that is none",
        "tests/api/test_errors.py::test_what_never_reaches_a_view_is_json_for_programs_and_a_page_for_people",
    ),
}


def routes(patterns: Sequence[Pattern], before: str = "") -> Iterator[tuple[str, Any]]:
    """(route, view) of every address, but for what the admin site serves: `tests/admin/test_sweep.py` walks that."""
    for one in patterns:
        route = before + str(one.pattern)
        if isinstance(one, URLPattern):
            yield route, one.callback
        elif one.app_name != "admin":
            yield from routes(one.url_patterns, route)


def answered_by(view: Any) -> set[str]:
    """The verbs that a view answers; of a plain view of Django, nobody knows."""
    served = getattr(view, "cls", None)
    if served is None:
        return {"any"}
    return set(getattr(view, "actions", None) or {verb for verb in VERBS if hasattr(served, verb)})


def unswept(patterns: Sequence[Pattern]) -> set[str]:
    """What is answered and is no operation of the document: `verb route`."""
    found = set()
    for route, view in routes(patterns):
        documented = PATHS.get("/" + PART.sub(r"{\1}", route), {})
        found |= {f"{verb} {route}" for verb in answered_by(view) - documented.keys()}
    return found


def test_every_route_is_swept_or_has_a_reason() -> None:
    found = unswept(get_resolver().url_patterns)

    assert {one.partition(" ")[2] for one in found} == ELSEWHERE.keys(), "document it, or say why it names nothing"
    assert len(list(routes(get_resolver().url_patterns))) > len(PATHS)
    assert unknown_tests(test for _, test in ELSEWHERE.values()) == set()


@csrf_exempt
def plain(request: HttpRequest, **names: str) -> HttpResponse:
    """A view that the document does not know."""
    return HttpResponse("leak")


class Hidden(APIView):
    """A view that keeps itself out of the document."""

    schema = None

    def post(self, request: HttpRequest, **names: str) -> HttpResponse:
        """Answer."""
        return HttpResponse("leak")


@pytest.mark.parametrize(
    ("leak", "found"),
    [
        (path("v1/leak/<uuid:which>", plain), "any v1/leak/<uuid:which>"),
        (path("v1/hidden/<uuid:which>", Hidden.as_view()), "post v1/hidden/<uuid:which>"),
        (path("v1/", include([path("runs/<uuid:run>", Hidden.as_view())])), "post v1/runs/<uuid:run>"),
        (path("admin/leak/<uuid:which>", plain), "any admin/leak/<uuid:which>"),
    ],
)
def test_a_route_that_nobody_sweeps_is_found(leak: Pattern, found: str) -> None:
    before = unswept(get_resolver().url_patterns)

    assert unswept([*get_resolver().url_patterns, leak]) - before == {found}
