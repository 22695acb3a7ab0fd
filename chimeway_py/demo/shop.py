"""A product that uses the service: one page with the bell, `python -m chimeway_py.demo.shop PORT URL MEMORY_FILE`.

It stands for yours. It keeps the API key, knows who is signed in (Ada, always), and gives her browser tokens of her own
inbox. Everything that the page loads comes from here, so its policy names the service for requests alone.
"""

import json
import sys
import urllib.request
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from chimeway_py.embedded.memory import LOOPBACK, Memory

OWN = Path(__file__).with_name("shop_page")
OURS = Path(__file__).resolve().parents[2] / "deliveries" / "static" / "deliveries"
FILES = {
    "/": (OWN / "index.html", "text/html; charset=utf-8"),
    "/shop.js": (OWN / "shop.js", "text/javascript"),
    "/shop.css": (OWN / "shop.css", "text/css"),
    "/chimeway-inbox.js": (OURS / "chimeway-inbox.js", "text/javascript"),
    "/chimeway-inbox.css": (OURS / "chimeway-inbox.css", "text/css"),
}
SIGNED_IN = "ada"
HAPPENINGS: dict[str, tuple[str, Callable[[str], dict[str, str]]]] = {
    "/mention": (
        "mention.created",
        lambda number: {
            "user_id": SIGNED_IN,
            "message_id": number,
            "email": "ada@example.com",
            "author": "Grace",
            "excerpt": "Have you seen this?",
        },
    ),
    "/comment": (
        "comment.created",
        lambda number: {"author_id": SIGNED_IN, "post_id": "p1", "who": "Grace", "said": f"Well done ({number[-4:]})"},
    ),
    "/parcel": (
        "parcel.sent",
        lambda number: {"customer_id": SIGNED_IN, "parcel_id": f"P-{number[-8:]}", "arrives_on": "Monday"},
    ),
    "/sign-in": (
        "sign_in.new",
        lambda number: {"user_id": SIGNED_IN, "sign_in_id": number, "device": "a phone"},
    ),
}
"""What may happen, by the button that makes it happen: the name of the signal, and its data."""


class Shop(ThreadingHTTPServer):
    """The product: where the service is, and the key to it."""

    daemon_threads = True

    def __init__(self, port: int, service: str, key: str) -> None:
        self.service = service
        self.key = key
        super().__init__((LOOPBACK, port), Visit)

    def ask(self, path: str, body: Any) -> Any:
        """POST to the service with the key."""
        head = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.service}/v1/{path}", json.dumps(body).encode(), head)  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  an address on this machine
            return json.load(answer)


class Visit(BaseHTTPRequestHandler):
    """One request of Ada's browser."""

    server: Shop

    def do_GET(self) -> None:
        """A file of the page, or a token of Ada's inbox: of hers, whatever the browser asks."""
        if self.path == "/inbox-token":
            self._json(self.server.ask(f"inbox/{SIGNED_IN}/tokens", {"minutes": 5}))
        elif self.path in FILES:
            file, kind = FILES[self.path]
            self._send(200, kind, file.read_text().replace("{service}", self.server.service).encode())
        elif self.path == "/favicon.ico":  # browsers ask for one by themselves
            self._send(204, "image/x-icon", b"")
        else:
            self._send(404, "text/plain", b"There is no such page.")

    def do_POST(self) -> None:
        """Something happens to Ada, of which the product tells the service."""
        if self.path not in HAPPENINGS:
            return self._send(404, "text/plain", b"There is no such page.")
        name, data = HAPPENINGS[self.path]
        return self._json(self.server.ask("signals", {"name": name, "data": data(f"shop-{uuid.uuid4()}")}))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _json(self, body: Any) -> None:
        self._send(200, "application/json", json.dumps(body).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", f"default-src 'self'; connect-src 'self' {self.server.service}")
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    seeded = Memory(Path(sys.argv[3])).recall("seeded", dict)
    Shop(int(sys.argv[1]), sys.argv[2], seeded["tenants"][0]["api_key"]).serve_forever()
