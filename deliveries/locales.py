"""Locales: `de-AT` gives way to `de`, and that to the words for everybody."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from workflows.steps.sources import Facts, text_of

LOCALE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
LONGEST = 35


def wanted_locale(step: Mapping[str, Any], facts: Facts) -> str:
    """The locale that a step's `locale` leads to, else the recipient's; empty when neither says one."""
    found = text_of(step["locale"], facts) if "locale" in step else ""
    found = found or str(facts.get("recipient", {}).get("locale", ""))
    return found.replace("_", "-")[:LONGEST]


def best_locale(wanted: str, known: Iterable[str]) -> str:
    """The first of the wanted locale and those it gives way to that is known; empty when none is."""
    names = {name.casefold(): name for name in known}
    return next((names[one] for one in _chain(wanted.casefold()) if one in names), "")


def _chain(locale: str) -> Iterator[str]:
    while locale:
        yield locale
        locale = locale.rpartition("-")[0]
