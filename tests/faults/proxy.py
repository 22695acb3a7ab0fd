"""A TCP proxy that misbehaves on demand: latency, a cut after so many bytes, silence (half open), resets, refusals."""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any

from chimeway_py.embedded.memory import LOOPBACK

CHUNK = 65536


class Proxy:
    """Stands before one loopback port. Everything may be changed while connections are open."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.latency = 0.0  # seconds that each chunk is held back, per direction
        self.cut_after: int | None = None  # bytes towards the client after which a connection is reset
        self.refusing = False  # new connections are reset at once
        self._silent = False
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()

    def __enter__(self) -> "Proxy":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen on a free port; `port` tells which."""
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = self._ask(asyncio.start_server(self._serve, LOOPBACK, 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Reset what is open and end."""
        self.behave()
        self._ask(self._end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)

    def reset(self) -> int:
        """Reset every open connection at both ends; how many there were."""
        return self._ask(self._reset_all())

    def fall_silent(self) -> None:
        """Half open: connections stay, new ones are accepted, and not a byte passes."""
        self._silent = True

    def behave(self) -> None:
        """Pass everything on again, at once and whole. What was held back in a silence goes on."""
        self.latency, self.cut_after, self.refusing, self._silent = 0.0, None, False, False

    def _ask(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    async def _reset_all(self) -> int:
        pairs = list(self._pairs)
        for pair in pairs:
            _reset(*pair)
        return len(pairs)

    async def _end(self) -> None:
        self._server.close()
        await self._reset_all()
        mine = asyncio.all_tasks(self.loop) - {asyncio.current_task()}
        if mine:
            await asyncio.wait(mine, timeout=2)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            _reset(writer)
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(LOOPBACK, self.target)
        except OSError:
            _reset(writer)
            return
        pair = (writer, far_writer)
        self._pairs.add(pair)
        there = asyncio.create_task(self._pass_on(reader, far_writer, pair, counted=False))
        back = asyncio.create_task(self._pass_on(far_reader, writer, pair, counted=True))
        await asyncio.gather(there, back)
        self._pairs.discard(pair)
        for end in pair:
            end.close()

    async def _pass_on(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        *,
        counted: bool,
    ) -> None:
        passed = 0
        try:
            while chunk := await source.read(CHUNK):
                if self.latency:
                    await asyncio.sleep(self.latency)
                while self._silent:
                    await asyncio.sleep(0.02)
                passed += len(chunk)
                if counted and self.cut_after is not None and passed > self.cut_after:
                    target.write(chunk[: max(0, len(chunk) - (passed - self.cut_after))])
                    await target.drain()
                    _reset(*pair)
                    return
                target.write(chunk)
                await target.drain()
            if target.can_write_eof():
                target.write_eof()
        except OSError:
            _reset(*pair)


def _reset(*writers: asyncio.StreamWriter) -> None:
    """Close with RST: the other end sees a broken connection and not an orderly end."""
    for writer in writers:
        sock = writer.get_extra_info("socket")
        if sock is not None and sock.fileno() != -1:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
