"""Pieces of the OpenAPI document that every surface shares: the error body, pages, the idempotency header."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, inline_serializer
from rest_framework import serializers

from chimeway_py.api.paging import MAX_PAGE, PAGE


class ErrorBody(serializers.Serializer[Any]):
    """The body of every refusal."""

    code = serializers.CharField(help_text="Never changes; programs decide by it.")
    message = serializers.CharField(help_text="A sentence for people.")
    detail = serializers.JSONField(help_text="For programs; for invalid input a list of {path, code, message}.")
    request_id = serializers.CharField(help_text="The id of the request in the logs.")


_WRITES = {"post", "put", "patch", "delete"}
_MEANINGS = {
    400: "The input is not valid; `detail` lists every fault with its JSON Pointer.",
    401: "No live API key, or no valid signature.",
    403: "The key lacks the scope, or the tenant is suspended.",
    404: "No such object in this tenant.",
    409: "It contradicts what is stored.",
    412: "The object has moved on since the revision in If-Match; `detail` names both.",
    413: "The body is larger than this address takes.",
    415: "Not JSON, or compressed.",
    429: "A limit of the tenant is used up; see Retry-After. Nothing was written.",
    503: "The database cannot answer now; see Retry-After. Nothing was written.",
}
_EXAMPLE = OpenApiExample(
    "invalid",
    value={
        "code": "invalid",
        "message": "The signal is not valid.",
        "detail": [{"path": "/name", "code": "bad_name", "message": "Lower-case ASCII letters, digits and _."}],
        "request_id": "0f0c4f0e-9a53-4f0e-8a4c-2f6a1f4d0c11",
    },
    status_codes=["400"],
    response_only=True,
)

PAGE_PARAMETERS = [
    OpenApiParameter("limit", {"type": "integer", "minimum": 0, "maximum": MAX_PAGE, "default": PAGE}),
    OpenApiParameter("cursor", str, description="`next` of the page before."),
]
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255},
    OpenApiParameter.HEADER,
    description="The same request under the same key is carried out once; its answer is given again.",
)


def answers(body: Any, *refusals: int, status: int = 200, examples: Sequence[OpenApiExample] = ()) -> dict[int, Any]:
    """The `responses` of an operation: its answer, and the refusals it may give besides 401, 403, 429 and 503."""
    given = {status: OpenApiResponse(body, examples=list(examples))}
    for refusal in sorted({401, 403, 429, 503, *refusals}):
        shown = [_EXAMPLE] if refusal == 400 else []
        given[refusal] = OpenApiResponse(ErrorBody, description=_MEANINGS[refusal], examples=shown)
    return given


@cache
def page_of(item: type[serializers.BaseSerializer[Any]]) -> Any:
    """The serializer of a page of `item`, for `answers`: the same one, whoever asks."""
    following = serializers.CharField(allow_null=True, help_text="Cursor of the next page; null on the last.")
    name = item.__name__.removesuffix("Serializer") + "Page"
    return inline_serializer(name, {"items": item(many=True), "next": following})


def tell_shared_refusals(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Adds to each operation what is refused before its own code is reached. Called when the document is made.

    A name in an address that cannot be one is 404, a query parameter or header that cannot be one 400, and an
    Idempotency-Key that was used for another request 409; the body of any write has a size and an encoding.
    """
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            if "responses" not in operation:
                continue
            places = {parameter["in"] for parameter in operation.get("parameters", ())}
            keyed = any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", ()))
            shared = {404} if "{" in path else set()
            shared |= {400} if places & {"query", "header"} else set()
            shared |= {409} if keyed else set()
            shared |= {400, 413, 415} if method in _WRITES else set()
            for refusal in sorted(shared):
                operation["responses"].setdefault(str(refusal), _told(refusal))
            operation["responses"] = dict(sorted(operation["responses"].items()))
    return result


def _told(refusal: int) -> dict[str, Any]:
    body = {"schema": {"$ref": "#/components/schemas/ErrorBody"}}
    return {"content": {"application/json": body}, "description": _MEANINGS[refusal]}
