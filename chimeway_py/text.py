"""Text that PostgreSQL can store and every reader can show."""

from datetime import UTC, datetime
from typing import Any

LONGEST_REASON = (
    64  # why somebody asks for something: a few words; an address of 64 hex digits takes their place in a trace
)


def is_storable(text: Any, limit: int) -> bool:
    """Whether `text` is a string of at most `limit` characters without NUL or lone surrogates."""
    if not isinstance(text, str) or len(text) > limit or "\0" in text:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in text)


def utc_minute(when: datetime) -> str:
    """An instant for people, to the minute."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def scalar_text(value: str | int) -> str:
    """A correlation value as text: whole numbers and booleans as their JSON text."""
    return str(value).lower() if isinstance(value, bool) else str(value)
