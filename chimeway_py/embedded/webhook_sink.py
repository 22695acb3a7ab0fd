"""A receiver of webhooks that keeps them in a folder: `python -m chimeway_py.embedded.webhook_sink PORT FOLDER`.

Every post becomes one JSON file {path, headers, body}, in the order of arrival, and is answered with 204.
"""

import itertools
import json
import sys
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from chimeway_py.embedded.memory import LOOPBACK

MOST_BYTES = 1_000_000


class Receiver(ThreadingHTTPServer):
    """Keeps what is posted to it, below `folder`."""

    daemon_threads = True

    def __init__(self, port: int, folder: Path, posts: "type[Post] | None" = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.numbers = itertools.count(len(list(folder.glob("*.json"))) + 1)
        super().__init__((LOOPBACK, port), posts or Post)

    def keep(self, path: str, headers: dict[str, str], body: str) -> None:
        """Write one post to a file of its own."""
        draft = self.folder / f"{next(self.numbers):06}.new"
        draft.write_text(json.dumps({"path": path, "headers": headers, "body": body}, indent=1))
        draft.rename(draft.with_suffix(".json"))


class Post(BaseHTTPRequestHandler):
    """One request."""

    server: Receiver

    def do_POST(self) -> None:
        """Read the body and answer."""
        self.answer(self.rfile.read(min(int(self.headers.get("Content-Length", 0)), MOST_BYTES)))

    def answer(self, body: bytes) -> None:
        """Keep it and say so."""
        self.keep(body.decode(errors="replace"))
        self.say(204)

    def keep(self, text: str) -> None:
        """Write this post to a file, with a body that people can read."""
        self.server.keep(self.path, dict(self.headers), text)

    def say(self, status: int, body: Mapping[str, Any] | None = None) -> None:
        """The answer; with a JSON body where there is one."""
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the files are the log."""


if __name__ == "__main__":
    Receiver(int(sys.argv[1]), Path(sys.argv[2])).serve_forever()
