"""What has come of a request so far, and whether a thread may have it.

This only decides how long to wait. What the bytes mean is for gunicorn's own parser to say, which is strict: whatever
looks odd here is handed over to it at once, to be refused there, and nothing more is heard of that client.
"""

import re
from enum import Enum, auto

MOST_HEAD = 32 * 1024  # bytes; a line, a field and their number have limits of gunicorn's own
MOST_BODY = 2 * 1024 * 1024  # bytes that are collected: as many as any address takes from a stranger
MOST_IN_CHUNKS = 1024 * 1024  # of those that do not say how many they are; REST refuses more
_MOST_AROUND_CHUNKS = 8 * MOST_IN_CHUNKS  # together with what stands between them
_END_OF_HEAD = b"\r\n\r\n"
_MOST_LINE = 8 * 1024
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*\r\n", re.IGNORECASE)
_CODING = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)
_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(;.*)?", re.DOTALL)


class Stage(Enum):
    """How much of a request is there."""

    HEAD = auto()  # a part of its head
    BODY = auto()  # its head, and a part of its body
    WHOLE = auto()  # all of it
    ODD = auto()  # as much as shows that it is none
    LARGE = auto()  # its head; the body is too large to be collected
    TOO_LARGE = auto()  # more than a head may have


class Arrival:
    """The bytes of one request as they come."""

    def __init__(self, began: float, patience: float) -> None:
        self.said = bytearray()
        self.stage = Stage.HEAD
        self.began, self.ends = began, began + patience
        self.expects_word = False  # the client sends its body when it is told to go on
        self._body = -1  # where it begins, once the head is there
        self._length: int | None = 0  # of the body; None when it comes in chunks
        self._chunk = 0  # where the first chunk begins that is not there yet
        self._in_chunks = 0  # how many bytes are in those that are
        self._in_chunk = 0  # and in that one

    @property
    def has_head(self) -> bool:
        """True when only a part of the body can be missing."""
        return self._body >= 0

    @property
    def collected(self) -> int:
        """How many bytes are kept of it, once its head is there."""
        return len(self.said) if self.has_head else 0

    def take(self, said: bytes) -> None:
        """Add what has come, and see how far it is."""
        looked = max(0, len(self.said) - len(_END_OF_HEAD))
        self.said += said
        if not self.has_head:
            end = self.said.find(_END_OF_HEAD, looked, MOST_HEAD)
            if end < 0:
                self.stage = Stage.TOO_LARGE if len(self.said) >= MOST_HEAD else Stage.HEAD
                return
            self._read_head(end + len(_END_OF_HEAD))
        self.stage = self._stage_of_body()

    def _read_head(self, end: int) -> None:
        head = bytes(self.said[:end])
        self._body = self._chunk = end
        length = _LENGTH.search(head)
        self._length = None if _CODING.search(head) else int(length[1]) if length else 0
        self.expects_word = bool(_EXPECT.search(head)) and b" HTTP/1.1\r\n" in head

    def _stage_of_body(self) -> Stage:
        has = len(self.said) - self._body
        if self._length is not None:
            return Stage.LARGE if self._length > MOST_BODY else Stage.WHOLE if has >= self._length else Stage.BODY
        end = self._end_of_chunks()
        if end is not None:
            return end
        is_large = self._in_chunks + self._in_chunk > MOST_IN_CHUNKS or has > _MOST_AROUND_CHUNKS
        return Stage.LARGE if is_large else Stage.BODY

    def _end_of_chunks(self) -> Stage | None:
        """How the chunks end, or None while more is to come. What was looked at is not looked at again."""
        while (line := self.said.find(b"\r\n", self._chunk, self._chunk + _MOST_LINE)) >= 0:
            size = _SIZE.fullmatch(bytes(self.said[self._chunk : line]))
            if size is None:
                return Stage.ODD
            if not int(size[1], 16):
                if self.said.find(_END_OF_HEAD, line) >= 0:
                    return Stage.WHOLE
                return Stage.ODD if len(self.said) - line > MOST_HEAD else None
            begin = line + 2
            if (after := begin + int(size[1], 16) + 2) > len(self.said):
                self._in_chunk = len(self.said) - begin
                return None
            self._chunk, self._in_chunks, self._in_chunk = after, self._in_chunks + int(size[1], 16), 0
        return Stage.ODD if len(self.said) - self._chunk >= _MOST_LINE else None
