"""Keys: the values a signal can be found by. A wait that opens asks for them to see what came before it."""

from collections.abc import Mapping


def subject_key(subject: str) -> str:
    """The key of a subject. No correlation attribute starts with @."""
    return f"@subject={subject}"


def correlation_key(attribute: str, value: str) -> str:
    """The key of one correlation value."""
    return f"{attribute}={value}"


def keys_of(subject: str, correlation: Mapping[str, str]) -> list[str]:
    """Every key of a signal: its subject if it has one, and each correlation value."""
    keys = [subject_key(subject)] if subject else []
    return keys + [correlation_key(attribute, value) for attribute, value in correlation.items()]
