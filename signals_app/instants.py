"""Instants from outside: ISO 8601 with an offset, inside the years that can be told in UTC."""

from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime


def read_instant(text: Any) -> datetime | None:
    """The instant in UTC, or None for what is not text, not ISO 8601, without an offset, or outside years 1 to 9999."""
    try:
        return in_utc(parse_datetime(text)) if isinstance(text, str) else None
    except ValueError:  # the right shape and no such day
        return None


def in_utc(instant: datetime | None) -> datetime | None:
    """The same instant in UTC, or None if it has no offset or UTC cannot tell it (9999-12-31T23:59-12:00)."""
    try:
        return instant.astimezone(UTC) if instant and instant.tzinfo else None
    except OverflowError:
        return None
