"""An answer on its way: what a client does not take at once is kept, and the thread that wrote it goes on.

A thread that writes to a client that reads nothing would wait as long as one that reads from a client that says
nothing. Here it waits only when more is kept than there is room for.
"""

import os
import socket
import threading
import time
from typing import Any

MOST_KEPT = 1024 * 1024  # bytes of one answer; a download that runs ahead of its client waits for it
_CHUNK = 256 * 1024


class Room:
    """How many bytes all answers together may keep. Safe to use from many threads."""

    def __init__(self, most: int) -> None:
        self._left, self._lock = most, threading.Lock()

    def take(self, size: int) -> bool:
        """Whether there was room."""
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True

    def give_back(self, size: int) -> None:
        """What has gone out, or is given up."""
        with self._lock:
            self._left += size


class Outbox:
    """Stands for the socket of a client while its request is answered. What is read goes past it."""

    def __init__(self, client: socket.socket, room: Room, patience: float) -> None:
        self.client, self.kept, self._room, self._patience = client, bytearray(), room, patience
        self.began = self._moved_at = time.monotonic()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    @property
    def is_stuck(self) -> bool:
        """True when the client has taken nothing for too long."""
        return bool(self.kept) and time.monotonic() > self._moved_at + self._patience

    def sendall(self, data: bytes) -> None:
        """Send what the client takes now, and keep the rest. Waits where there is no room. Raises OSError."""
        self.drain()
        if self.is_stuck:  # a stream that nobody reads
            raise TimeoutError
        said = memoryview(data)
        while said and not self.kept and (sent := self._send(said[:_CHUNK])):
            said = said[sent:]
        if len(self.kept) + len(said) <= MOST_KEPT and self._room.take(len(said)):
            self.kept += said
            return
        kept = bytes(self.kept)
        self.give_up()  # first: if the client takes only a part now, nobody may send it again
        self.client.sendall(kept)
        self.client.sendall(said)

    def drain(self) -> bool:
        """Send what the client takes of what is kept; True when nothing is left. Never waits. Raises OSError."""
        while self.kept and (sent := self._send(self.kept[:_CHUNK])):
            del self.kept[:sent]
            self._room.give_back(sent)
        return not self.kept

    def give_up(self) -> None:
        """Forget what is kept."""
        self._room.give_back(len(self.kept))
        self.kept.clear()

    def _send(self, piece: memoryview | bytearray) -> int:
        try:  # past Python's own socket, which waits before it tries
            sent = os.write(self.client.fileno(), piece)
        except BlockingIOError:
            return 0
        self._moved_at = time.monotonic()
        return sent
