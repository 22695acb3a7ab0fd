"""What is wrong with the words of a template."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from chimeway_py.errors import Invalid, fault
from chimeway_py.rendering import TemplateFault, check_source, needs_of
from chimeway_py.rendering.render import ROOTS
from chimeway_py.text import is_storable
from deliveries.channels.registry import channels
from deliveries.locales import LOCALE, LONGEST
from deliveries.models.template import DEFAULT

KEY = re.compile(r"[a-z0-9_]{1,64}")
LONGEST_SUBJECT, LONGEST_PART = 1000, 32 * 1024
MOST_LOCALES = 60
LARGEST = 512 * 1024
PARTS = ("subject", "text", "html")
LAYOUT_ROOTS = ROOTS | {"content"}

Fault = dict[str, str]
Wordings = Mapping[str, Mapping[str, str]]


def require_words(key: str, channel: str, wordings: Wordings, *, is_layout: bool) -> None:
    """Raise `Invalid` with every fault that can be seen without looking anything up, or nothing."""
    faults = list(_faults(key, channel, wordings, is_layout))
    if faults:
        raise Invalid("The template is not valid.", faults)


def place_of(locale: str, part: str) -> str:
    """Where a part stands in what was asked: the words for everybody are on top."""
    return f"/{part}" if locale == DEFAULT else f"/locales/{locale}/{part}"


def _faults(key: str, channel: str, wordings: Wordings, is_layout: bool) -> Iterator[Fault]:
    if not KEY.fullmatch(key):
        yield fault("/key", "bad_key", "1 to 64 of the letters a-z, digits and _.")
    if channel not in channels():
        yield fault("/channel", "unknown_channel", f"One of {', '.join(sorted(channels()))}.")
    if len(wordings) > MOST_LOCALES or len(json.dumps(wordings)) > LARGEST:
        yield fault("/locales", "size", f"At most {MOST_LOCALES} locales and {LARGEST // 1024} kB in all.")
        return
    for locale, parts in wordings.items():
        if locale != DEFAULT and (len(locale) > LONGEST or not LOCALE.fullmatch(locale)):
            yield fault(f"/locales/{locale[:LONGEST]}", "bad_locale", "A language, and what narrows it: de, de-AT.")
        elif is_layout:
            yield from _layout_faults(locale, parts)
        else:
            yield from _part_faults(locale, parts, ROOTS)


def _layout_faults(locale: str, parts: Mapping[str, str]) -> Iterator[Fault]:
    if parts["subject"]:
        yield fault(place_of(locale, "subject"), "layout", "A layout has no subject; each message has its own.")
    for part in ("text", "html"):
        if parts[part] and not _has_content(parts[part]):
            yield fault(place_of(locale, part), "layout", "A layout says where the message goes: {{ content }}.")
    yield from _part_faults(locale, parts, LAYOUT_ROOTS)


def _has_content(source: str) -> bool:
    try:
        return ("content",) in needs_of(source)
    except TemplateFault:
        return True  # it cannot be read, which is a fault of its own


def _part_faults(locale: str, parts: Mapping[str, Any], roots: frozenset[str]) -> Iterator[Fault]:
    if is_storable(parts["text"], LONGEST_PART) and not parts["text"].strip():
        yield fault(place_of(locale, "text"), "required", "Every message has a text; HTML is an addition to it.")
    for part, source in parts.items():
        longest = LONGEST_SUBJECT if part == "subject" else LONGEST_PART
        if not is_storable(source, longest):
            told = f"Text of at most {longest} characters, without NUL."
            yield fault(place_of(locale, part), "bad_text", told)
            continue
        try:
            check_source(source, html=part == "html", roots=roots)
        except TemplateFault as error:
            yield fault(place_of(locale, part), error.code, error.message)
