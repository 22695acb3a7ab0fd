"""The far end of webhooks: misbehaves by the path it is posted to, and keeps a ledger of what reached it."""

import json
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from chimeway_py.embedded.memory import LOOPBACK

HANG = 3.0  # seconds


@dataclass(frozen=True, slots=True)
class Post:
    """One message that arrived whole, and what its sender was told: a status, or 0 for a closed connection."""

    id: str
    path: str
    at: float
    told: int


class Provider(ThreadingHTTPServer):
    """`/ok` takes everything; `/flaky` answers a first try with 503, 500, 429 or nothing, and takes the next."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, ledger: Path, port: int = 0) -> None:
        super().__init__((LOOPBACK, port), Handler)
        self.port: int = self.server_address[1]
        self.hold = threading.Event()  # set: answers are kept back
        self._ledger = ledger.open("a")
        self._lock = threading.Lock()
        self._seen: Counter[str] = Counter()
        self.held = 0  # answers that were kept back, in all
        self.posts: list[Post] = []

    def start(self) -> "Provider":
        """Serve in a thread."""
        threading.Thread(target=self.serve_forever, name="provider", daemon=True).start()
        return self

    def stop(self) -> None:
        """End and close the ledger."""
        self.shutdown()
        self.server_close()
        self._ledger.close()

    def judge(self, identity: str, path: str) -> int:
        """What to tell the sender: a status, 0 for a connection that closes without an answer."""
        with self._lock:
            self._seen[identity] += 1
            number = self._seen[identity]
        if not path.startswith("/flaky") or number > 1:
            return 204
        return (503, 500, 0, 429)[sum(identity.encode()) % 4]

    def keep(self, post: Post) -> None:
        """Write down what arrived, before the sender learns of it."""
        with self._lock:
            self.posts.append(post)
            self._ledger.write(json.dumps(asdict(post)) + "\n")
            self._ledger.flush()

    def kept_back(self) -> None:
        """Count an answer that does not come yet."""
        with self._lock:
            self.held += 1

    def taken(self) -> Counter[str]:
        """How often each id was taken: told a 2xx, or told nothing after it had arrived whole."""
        with self._lock:
            return Counter(post.id for post in self.posts if post.told in (0, 204, 500))

    def first(self) -> dict[str, float]:
        """When each id arrived for the first time, whatever it was told."""
        with self._lock:
            return {post.id: post.at for post in reversed(self.posts)}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Provider
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Read all of it, write it down, answer."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        identity = self.headers.get("webhook-id", "")
        status = self.server.judge(identity, self.path)
        self.server.keep(Post(identity, self.path, time.time(), status))
        if self.server.hold.is_set():
            self.server.kept_back()
        deadline = time.monotonic() + HANG
        while self.server.hold.is_set() and time.monotonic() < deadline:
            time.sleep(0.02)
        self.close_connection = True
        if status:
            self.send_response(status)
            if status in (429, 503):
                self.send_header("Retry-After", "1")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the ledger is the log."""
