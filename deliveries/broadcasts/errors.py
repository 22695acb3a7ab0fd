"""Refusals of broadcasts and segments."""

from chimeway_py.errors import Conflict, NotFound


class BroadcastNotFound(NotFound):
    """No such broadcast in this tenant."""

    code = "broadcast_not_found"


class SegmentNotFound(NotFound):
    """No such segment in this tenant."""

    code = "segment_not_found"


class BroadcastNotDraft(Conflict):
    """The broadcast was started or cancelled; only a draft can be changed or started."""

    code = "broadcast_not_draft"


class BroadcastEmpty(Conflict):
    """The broadcast has no targets."""

    code = "broadcast_empty"


class BroadcastEnded(Conflict):
    """The broadcast has ended already."""

    code = "broadcast_ended"


class PreviewChanged(Conflict):
    """Not the token of a preview of this broadcast as it is now, or one older than a day; look at it again."""

    code = "preview_changed"
