"""The gate that JSON from outside passes: one object of plain values that every part of the service can store.

What a lenient parser lets through breaks something later: NUL (PostgreSQL), lone surrogates (UTF-8), NaN, infinities
and endless digits (other parsers), repeated keys (two readers, two meanings), depth (the stack), a million members
(memory). Depth and number of members are judged by a linear scan before anything is built.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator
from functools import reduce
from typing import Any

from chimeway_py.api.json_places import where_too_deep, where_too_many
from chimeway_py.errors import Invalid, fault

MAX_DEPTH = 32
MAX_MEMBERS = 50_000
MAX_KEY = 256
MAX_FAULTS = 20
INT64 = range(-(2**63), 2**63)

# It matches unterminated strings too: were it to fail there, it would try again from every quote inside.
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_BRACKET = re.compile(r"[^\[\]{}]+")


def read_json(raw: bytes, *, depth: int = MAX_DEPTH, members: int = MAX_MEMBERS) -> dict[str, Any]:
    """The object in a body. Raises `Invalid` whose detail names the JSON Pointer of every fault (at most 20)."""
    value = read_value(raw, depth=depth, members=members)
    if not isinstance(value, dict):
        raise _refusal("", "not_an_object", "The body must be a JSON object.")
    return value


def read_value(raw: bytes, *, depth: int = MAX_DEPTH, members: int = MAX_MEMBERS) -> Any:
    """The same for a value of any kind, such as what a field of a form holds."""
    text = _decoded(raw)
    _check_size(text, depth, members)
    reader = _Reader()
    try:
        value = reader.decode(text)
    except ValueError as error:
        raise _refusal("", "not_json", f"The body is not JSON: {error}.") from None
    if reader.flawed or r"\u" in text:  # without an escape there is no way to write NUL or a lone surrogate
        faults = [found for found, _ in zip(_faults(value, ""), range(MAX_FAULTS), strict=False)]
        if faults:
            raise Invalid("The body is not valid.", faults)
    return value


def pointer(path: str, key: str | int) -> str:
    """`path` and a key, escaped as RFC 6901 says. What cannot be shown is escaped as in JSON, long keys are cut."""
    shown = str(key)[:50]
    if not shown.isprintable():
        shown = json.dumps(shown)[1:-1]
    return f"{path}/{shown.replace('~', '~0').replace('/', '~1')}"


def _decoded(raw: bytes) -> str:
    if raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise _refusal("", "bad_encoding", "The body must be UTF-8 without a byte order mark.")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise _refusal("", "bad_encoding", f"The body is not UTF-8: byte {error.start}.") from None
    if "\0" in text:
        raise _refusal("", "bad_encoding", f"The body holds a NUL at character {text.index(chr(0))}: is it UTF-16?")
    if not text.strip():
        raise _refusal("", "empty", "The body is empty; a JSON object is expected.")
    return text


def _check_size(text: str, most_deep: int, most_members: int) -> None:
    """Depth and members of the text, well-formed or not, without building anything."""
    bare = _STRING.sub("", text)
    depth = 0
    for bracket in _NOT_BRACKET.sub("", bare):
        depth += 1 if bracket in "[{" else -1
        if depth > most_deep:
            place = _pointer_to(where_too_deep(text, most_deep))
            raise _refusal(place, "too_deep", f"Objects and lists may be nested {most_deep} deep.")
    if bare.count(",") + bare.count("[") + bare.count("{") > most_members:
        place = _pointer_to(where_too_many(text, most_members))
        raise _refusal(place, "too_many_members", f"At most {most_members} members and items in all.")


def _pointer_to(place: Iterable[str | int]) -> str:
    return reduce(pointer, place, "")


class _Flaw:
    """Stands in the tree where a value cannot be accepted, until its path is known."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message


class _Repeating(dict[str, Any]):
    """An object that names a member twice."""

    repeated: str


class _Reader(json.JSONDecoder):
    """A strict decoder that marks flaws instead of raising, because hooks do not know where they are."""

    def __init__(self) -> None:
        super().__init__(
            object_pairs_hook=self._object,
            parse_int=self._integer,
            parse_float=self._decimal,
            parse_constant=lambda name: self._flaw("not_finite", f"{name} is not a JSON number."),
        )
        self.flawed = False

    def _flaw(self, code: str, message: str) -> _Flaw:
        self.flawed = True
        return _Flaw(code, message)

    def _integer(self, digits: str) -> int | _Flaw:
        if len(digits) <= 20 and int(digits) in INT64:
            return int(digits)
        return self._flaw("too_large", "Whole numbers must fit 64 bits; send others as text.")

    def _decimal(self, digits: str) -> float | _Flaw:
        value = float(digits)
        return value if math.isfinite(value) else self._flaw("too_large", "Numbers must fit a double.")

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        built = dict(pairs)
        if len(built) != len(pairs):
            self.flawed = True
            built = _Repeating(built)
            seen: set[str] = set()
            built.repeated = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        if any(len(key) > MAX_KEY for key in built):
            self.flawed = True
        return built


def _faults(value: Any, path: str) -> Iterator[dict[str, str]]:
    match value:
        case _Flaw():
            yield fault(path, value.code, value.message)
        case str():
            yield from _text_faults(value, path)
        case dict():
            if isinstance(value, _Repeating):
                yield fault(pointer(path, value.repeated), "duplicate_key", "This member is named twice.")
            for key, member in value.items():
                yield from _key_faults(key, pointer(path, key))
                yield from _faults(member, pointer(path, key))
        case list():
            for index, item in enumerate(value):
                yield from _faults(item, pointer(path, index))


def _key_faults(key: str, path: str) -> Iterator[dict[str, str]]:
    if len(key) > MAX_KEY:
        yield fault(path, "key_too_long", f"Names of members have at most {MAX_KEY} characters.")
    yield from _text_faults(key, path)


def _text_faults(text: str, path: str) -> Iterator[dict[str, str]]:
    if "\0" in text:
        yield fault(path, "nul", "Text must not contain NUL (\\u0000).")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        yield fault(path, "lone_surrogate", "Text must not contain half of a surrogate pair.")


def _refusal(path: str, code: str, message: str) -> Invalid:
    return Invalid("The body is not valid.", [fault(path, code, message)])
