"""What a run goes on with: `steps.<key>`, the first items and how many there were."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from workflows.steps.base import Outcome

SHOWN = 10  # items, of a step that does not say how many
MOST_SHOWN = 100
MOST_BYTES = 64 * 1024  # of all items that are shown: as much as an answer from outside may hold
COLLECTED, DIGESTED, REMOVED, SENT_FIRST = "collected", "digested", "removed", "sent_first"


def collected(
    items: Iterable[Any], *, count: int, first_at: datetime, last_at: datetime, digest: str, show: int = SHOWN
) -> dict[str, Any]:
    """The output. Items that do not fit are not shown, nor are those after them; `more` says how many those are."""
    left = MOST_BYTES
    shown: list[Any] = []
    for item in items:
        left -= len(json.dumps(item))
        if left < 0 or len(shown) == show:
            break
        shown.append(item)
    times = {"first_at": first_at.isoformat(), "last_at": last_at.isoformat()}
    return {"items": shown, "count": count, "more": count - len(shown), "digest": digest, **times}


def alone(item: Any, now: datetime, context: Mapping[str, Any], digest: str = "") -> Outcome:
    """The outcome of a run that goes on at once, with its own item only."""
    output = collected([item], count=1, first_at=now, last_at=now, digest=digest)
    return Outcome(SENT_FIRST, context=context, answer=output)
