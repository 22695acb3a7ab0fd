"""The nearest known word, for a person who mistyped one."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?` with a leading space, or nothing when no known word is near."""
    near = get_close_matches(word[:64], list(known), n=1, cutoff=0.6)
    return f" Did you mean {near[0]!r}?" if near else ""
