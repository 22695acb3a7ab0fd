"""The revision of a run in REST: given as `ETag`, asked for with `If-Match` (RFC 9110, section 13.1.1)."""

import re

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from chimeway_py.errors import Invalid, fault

IF_MATCH = OpenApiParameter(
    "If-Match",
    {"type": "string", "pattern": r'^("\d{1,10}"|\*)$'},
    OpenApiParameter.HEADER,
    description="The `ETag` that the caller has seen. The call is refused when the run has moved on since.",
)
_TAG = re.compile(r'"(\d{1,10})"', re.ASCII)


def etag(revision: int) -> str:
    """The entity tag of a revision: strong, because every transition makes a new one."""
    return f'"{revision}"'


def expected_revision(request: Request) -> int | None:
    """The revision that `If-Match` names; None when any will do. Raises `Invalid` for anything but one tag of ours."""
    text = request.headers.get("If-Match", "*").strip()
    if text == "*":
        return None
    found = _TAG.fullmatch(text)
    if found is None:
        raise Invalid("If-Match is not valid.", [fault("/If-Match", "bad_etag", 'One ETag of a run, such as "7".')])
    return int(found.group(1))
