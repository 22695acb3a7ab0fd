"""The OpenAPI document of REST, made once per process: it depends on the code alone."""

from functools import lru_cache
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator


@require_safe
def openapi(request: HttpRequest) -> JsonResponse:
    """The document, to anybody: it tells nothing of any tenant."""
    return JsonResponse(document())


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """The document as plain values."""
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return made
