"""Words for times, places and targets, the same in every sentence."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from workflows.definitions.document import Target
from workflows.explain.picture import Picture

MOST_NAMED = 3  # of a list; the rest is counted
_NEAR = timedelta(minutes=10)


def instant(at: datetime, now: datetime) -> str:
    """A time in UTC: without the date when it is today, with seconds when it is near."""
    at, now = at.astimezone(UTC), now.astimezone(UTC)
    clock = f"{at:%H:%M:%S}" if abs(at - now) < _NEAR else f"{at:%H:%M}"
    return f"{clock} UTC" if at.date() == now.date() else f"{at:%Y-%m-%d} {clock} UTC"


def quoted(step: str) -> str:
    """A step by its key; before the first step there is none."""
    return f"“{step}”" if step else "its start"


def listed(words: Sequence[str], last: str = "and") -> str:
    """A, B and C; of a long list the first three and how many more."""
    if len(words) > MOST_NAMED:
        words = [*words[:MOST_NAMED], f"{len(words) - MOST_NAMED} more"]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def matched(match: Mapping[str, str] | None) -> str:
    """The values that a signal must carry, as " (invoice_id 42)"; nothing for the run's own subject."""
    return f" ({', '.join(f'{name} {value}' for name, value in match.items())})" if match else ""


def goes(picture: Picture, target: Target) -> str:
    """What the run does on a target of its current step: goes on to a step, completes, or stops."""
    step = picture.follow(target)
    if step:
        return f"goes on to {quoted(step)}"
    if target.kind == "stop":
        return f"stops ({target.reason}){' and is undone' if target.compensate else ''}"
    return "completes"


def counted(number: int, singular: str, plural: str = "") -> str:
    """1 signal, 2 signals."""
    return f"{number} {singular}" if number == 1 else f"{number} {plural or singular + 's'}"


def outcome(word: str, error: Any = "") -> str:
    """An outcome with its error code."""
    return f"{word} ({error})" if error else word


def decider(layer: str) -> str:
    """Who decided that work is kept back: the recipient, the tenant's default, the step."""
    return {"tenant_default": "the tenant's default"}.get(layer, f"the {layer.replace('_', ' ')}")
