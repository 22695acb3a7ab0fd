"""A mail server that misbehaves on cue: closes, hangs or refuses at one point of the conversation."""

import socket
import threading
from dataclasses import dataclass, field

POINTS = ("connect", "EHLO", "MAIL", "RCPT", "DATA", "BODY", "QUIT")
NORMAL = {"connect": "220 script", "DATA": "354 go on", "BODY": "250 2.0.0 kept", "QUIT": "221 bye"}


@dataclass
class ScriptedSmtp:
    """`cue` maps a point to `close`, `hang`, or the line to answer. `bodies` counts the mails that came whole."""

    cue: dict[str, str] = field(default_factory=dict)
    bodies: int = 0

    def __enter__(self) -> "ScriptedSmtp":
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.server.getsockname()[1]
        self.ended = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.server.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rwb") as lines:
            try:
                self._say(lines, "connect")
                while line := lines.readline():
                    word = line[:4].decode().upper()
                    self._say(lines, word)
                    if word == "DATA" and self.cue.get("DATA") is None:
                        while lines.readline() != b".\r\n":
                            pass
                        self.bodies += 1
                        self._say(lines, "BODY")
            except (OSError, StopIteration):
                return

    def _say(self, lines: object, point: str) -> None:
        """Answer as on cue. Raises StopIteration to end the conversation."""
        cue = self.cue.get(point, NORMAL.get(point, "250 ok"))
        if cue == "hang":
            self.ended.wait(20)
        if cue in ("close", "hang"):
            raise StopIteration
        lines.write(cue.encode() + b"\r\n")  # type: ignore[attr-defined]
        lines.flush()  # type: ignore[attr-defined]
