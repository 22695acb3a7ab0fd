"""Refusals of heads."""

from chimeway_py.errors import Conflict, NotFound


class HeadNotFound(NotFound):
    """No such head in this tenant."""

    code = "head_not_found"


class NoHeadKey(Conflict):
    """There is no key to sign heads with: set HEAD_KEYS."""

    code = "no_head_key"
