"""The parser of every JSON request."""

from collections.abc import Mapping
from typing import IO, Any

from django.utils.http import parse_header_parameters
from rest_framework.parsers import BaseParser

from chimeway_py.api.bodies import MAX_BODY, BodyTooLarge
from chimeway_py.api.json_gate import read_json
from chimeway_py.errors import Invalid, fault


class StrictJSONParser(BaseParser):
    """JSON in UTF-8, one object, nothing that would break something later. See `json_gate`."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The object in the stream. Raises `Invalid` and `BodyTooLarge`."""
        check_charset(media_type or "")
        raw = stream.read(MAX_BODY + 1)
        if len(raw) > MAX_BODY:
            raise BodyTooLarge
        return read_json(raw)


def check_charset(content_type: str) -> None:
    """Refuse a Content-Type that declares anything but UTF-8. Raises `Invalid`."""
    try:
        charset = parse_header_parameters(content_type)[1].get("charset", "utf-8")
    except ValueError:  # Django refuses to read a very long header
        charset = "unreadable"
    if charset.strip("\"' ").lower() not in {"utf-8", "utf8"}:
        raise Invalid("The body must be UTF-8.", [fault("", "bad_charset", "Declare charset=utf-8, or none.")])
