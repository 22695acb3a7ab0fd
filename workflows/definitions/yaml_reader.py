"""YAML read as a stream of events, so that depth, repeated keys and aliases are refused before anything is built.

Only the core schema of YAML 1.2 is understood: `no` is a text, not a boolean, and `10:30` a text, not the number 630.
"""

import math
import re
from typing import Any

import yaml

from chimeway_py.errors import fault
from workflows.definitions.errors import InvalidDefinition
from workflows.definitions.sentences import pointer

DEEPEST = 32
MOST_NODES = 50_000
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE_TAGS = {None, "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}
_INTEGER = re.compile(r"[-+]?[0-9]+", re.ASCII)
_INT64 = range(-(2**63), 2**63)
LIKE_A_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_WORDS = dict.fromkeys(("", "~", "null", "Null", "NULL")) | {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def read_yaml(source: bytes) -> dict[str, Any]:
    """The mapping in one YAML document. Raises `InvalidDefinition` with the first fault that stops the reading."""
    try:
        text = source.decode()
    except UnicodeDecodeError as error:
        raise _refusal([], "encoding", f"The text is not UTF-8: byte {error.start}.") from None
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_Loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise _refusal(builder.place(), "syntax", f"This is not YAML: {_place(error)}{error.problem}.") from None
    except yaml.YAMLError:  # a character that YAML does not allow, such as NUL
        raise _refusal([], "syntax", "The text has a character that YAML does not allow.") from None
    return builder.document()


class _Frame:
    """A mapping or list that is being filled."""

    def __init__(self, value: dict[str, Any] | list[Any]) -> None:
        self.value = value
        self.key: str | None = None

    def place(self) -> str | int:
        return len(self.value) if isinstance(self.value, list) else self.key or ""


class _Builder:
    """Builds plain values from events, without recursion."""

    def __init__(self) -> None:
        self._open: list[_Frame] = []
        self._roots: list[Any] = []
        self._nodes = 0

    def take(self, event: Any) -> None:
        """Take the next event of the stream."""
        match event:
            case yaml.AliasEvent():
                raise self._refuse(event, "alias", "Aliases (*name) are not followed; write the value again")
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.MappingStartEvent():
                self._start(event, {})
            case yaml.SequenceStartEvent():
                self._start(event, [])
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._put(event, self._open.pop().value)

    def place(self) -> list[str | int]:
        """Where in the document the next value belongs."""
        return [frame.place() for frame in self._open if frame.key is not None or isinstance(frame.value, list)]

    def document(self) -> dict[str, Any]:
        """The one mapping that the stream held."""
        if len(self._roots) != 1 or not isinstance(self._roots[0], dict):
            message = "The text must hold one YAML document, and that a mapping (key: …, steps: …)."
            raise _refusal([], "not_an_object", message)
        return self._roots[0]

    def _start(self, event: Any, value: dict[str, Any] | list[Any]) -> None:
        self._admit(event)
        if len(self._open) >= DEEPEST:
            raise self._refuse(event, "depth", f"Mappings and lists may be nested {DEEPEST} deep")
        if self._wants_key():
            raise self._refuse(event, "key", "A key is a text")
        self._open.append(_Frame(value))

    def _scalar(self, event: Any) -> None:
        self._admit(event)
        text: str = event.value
        if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text):
            raise self._refuse(event, "nul", "Text must not contain NUL or half of a surrogate pair")
        if self._wants_key():
            self._take_key(event, text)
        else:
            self._put(event, self._resolved(event, text) if event.implicit[0] else text)

    def _take_key(self, event: Any, text: str) -> None:
        frame = self._open[-1]
        frame.key = text
        if text in frame.value:
            raise self._refuse(event, "duplicate_key", f"The key {text[:64]!r} stands here twice")

    def _resolved(self, event: Any, text: str) -> Any:
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text) and len(text) <= 20 and int(text) in _INT64:
            return int(text)
        if not LIKE_A_NUMBER.fullmatch(text):
            return text
        if _INTEGER.fullmatch(text) or math.isinf(value := float(text)):
            raise self._refuse(event, "number", "Numbers must fit 64 bits; write others as quoted text")
        return value

    def _admit(self, event: Any) -> None:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise self._refuse(event, "size", f"A definition has at most {MOST_NODES} values")
        if event.tag not in _CORE_TAGS:
            raise self._refuse(event, "tag", "Tags (!name) are not understood")

    def _wants_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].value, dict) and self._open[-1].key is None

    def _put(self, event: Any, value: Any) -> None:
        if not self._open:
            self._roots.append(value)
            return
        frame = self._open[-1]
        if isinstance(frame.value, list):
            frame.value.append(value)
        else:
            frame.value[str(frame.key)] = value
            frame.key = None

    def _refuse(self, event: Any, code: str, message: str) -> InvalidDefinition:
        return _refusal(self.place(), code, f"{message} (line {event.start_mark.line + 1}).")


def _place(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""


def _refusal(place: list[str | int], code: str, message: str) -> InvalidDefinition:
    return InvalidDefinition("The definition cannot be read.", [fault(pointer(place), code, message)])
