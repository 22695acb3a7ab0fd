"""Reading the bytes of a request: never more than the limit, whatever its headers say."""

import io
from typing import Any

from django.http import HttpRequest
from rest_framework.request import Request

from chimeway_py.errors import ChimewayError

MAX_BODY = 1024 * 1024
_CHUNK = 64 * 1024


class BodyTooLarge(ChimewayError):
    """The body is larger than its address takes: 1 MiB, or 8 MiB for an import."""

    code = "body_too_large"
    status = 413


class BodyEncoded(ChimewayError):
    """Compressed bodies are not taken: send it without Content-Encoding."""

    code = "unsupported_encoding"
    status = 415


class BodyIncomplete(ChimewayError):
    """Fewer bytes came than the request declared."""

    code = "body_incomplete"


class LengthRequired(ChimewayError):
    """This server cannot take a chunked body: send a Content-Length."""

    code = "length_required"
    status = 411


def read_body(request: HttpRequest, most: int = MAX_BODY) -> bytes:
    """The raw body, read once and kept in `request.body`. Memory stays flat: one of more bytes is refused, not read.

    Raises `BodyTooLarge`, `BodyEncoded`, `BodyIncomplete` and `LengthRequired`.
    """
    kept: bytes | None = getattr(request, "_body", None)
    if kept is not None:
        return kept
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise BodyEncoded
    declared = declared_length(request)
    if declared is not None and declared > most:
        raise BodyTooLarge
    source = request if declared is not None else request.environ["wsgi.input"]  # type: ignore[attr-defined]
    body = _read(source, most)
    if declared is not None and len(body) < declared:
        raise BodyIncomplete
    request._body = body
    return body


def declared_length(request: HttpRequest) -> int | None:
    """Content-Length, or None when the body comes in chunks and the server marks its end. Raises `LengthRequired`."""
    if "chunked" not in request.headers.get("Transfer-Encoding", "").lower():
        length = request.META.get("CONTENT_LENGTH") or "0"
        return int(length) if str(length).isascii() and str(length).isdigit() else 0
    if not request.META.get("wsgi.input_terminated"):
        raise LengthRequired
    return None


def _read(source: Any, most: int) -> bytes:
    taken = io.BytesIO()
    try:
        while chunk := source.read(_CHUNK):
            taken.write(chunk)
            if taken.tell() > most:
                raise BodyTooLarge
    except ChimewayError:
        raise
    except Exception as error:  # the client went away, or its chunks do not add up: each server has words of its own
        raise BodyIncomplete from error
    return taken.getvalue()


class BoundedRequest(Request):
    """A request whose body was read by `read_body`, also when it came in chunks."""

    def _load_stream(self) -> None:
        body = read_body(self._request)
        self._stream = io.BytesIO(body) if body else None  # type: ignore[assignment]
