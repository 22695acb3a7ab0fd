"""What must stand nowhere in the open, whichever test brought it in: it is looked for when the session ends.

Tests make API keys, tokens and signing secrets by the thousand, and call what stands for a payload or a credential
`canary-of-a-…`. The session itself runs on keys and passwords of its settings. When all tests are done, no table, log,
key of the broker, metric or page may show any of them, neither plainly nor in hex nor in base64.
"""

import base64
import logging
import os
import re
from collections.abc import Iterable, Iterator
from copy import copy
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import redis
from django.test import Client
from django.urls import reverse
from structlog.stdlib import ProcessorFormatter

from tests.plugin import Servers

CANARY = "canary-of-a-payload"
"""Stands for what people write, wherever a test needs any text."""
_TOLD = re.compile(rb"(canary-of-a-[a-z0-9-]*|whsec_[A-Za-z0-9+/]{16,}|cwi?_[a-z0-9]{12}_[A-Za-z0-9_-]{20,})", re.ASCII)
_KEYS = ("SECRET_KEY", "PAYLOAD_KEYS", "HEAD_KEYS")
_SERVERS = ("DATABASE_URL", "DATABASE_OWNER_URL", "BROKER_URL", "EMAIL_URL")
_AROUND = 60


OURS = ("chimeway_py", "tenants", "signals_app", "workflows", "deliveries", "django_structlog")


class Listener(logging.Handler):
    """Hears all that is logged in this process, down to DEBUG where we log, and keeps what shows a secret."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: set[str] = set()
        written = [one.formatter for one in logging.getLogger().handlers]
        self.setFormatter(next(one for one in written if isinstance(one, ProcessorFormatter)))

    def listen(self) -> None:
        """Hear what is below the level of the session, too; the others go on as they were."""
        root = logging.getLogger()
        for other in root.handlers:
            other.setLevel(max(other.level, root.level))
        for name in OURS:
            logging.getLogger(name).setLevel(logging.DEBUG)
        root.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        said = self.format(copy(record))
        self.shown |= {f"log {record.name}: {one}" for one in shown_in(said.encode(errors="replace"))}


@cache
def forms() -> list[bytes]:
    """What to look for: words as they are, in hex, and in base64 at each of its three alignments."""
    return [
        *(b"cw_", b"cwi_", b"whsec_", b"whsec_".hex().encode()),
        *(form for word in (b"canary-of-a-", *map(str.encode, of_settings())) for form in _written(word)),
        *(form for name in _KEYS[1:] for form in _written(base64.b64decode(os.environ[name]))),
    ]


def of_settings() -> list[str]:
    """What this session runs on: its keys, and the passwords of the database, the broker and the mail server."""
    passwords = [urlsplit(os.environ[name]).password for name in _SERVERS]
    return [*(os.environ[name] for name in _KEYS), *(one for one in passwords if one)]


def _written(word: bytes) -> list[bytes]:
    coded = [base64.b64encode(b"\0" * shift + word)[4 if shift else 0 : -4] for shift in range(3)]
    return [word, word.hex().encode(), *coded]


def shown_in(text: bytes) -> Iterator[str]:
    """Each secret in a text, as it stands there with a little of what is around."""
    for form in forms():
        place = text.find(form)
        while place >= 0:
            around = text[max(0, place - _AROUND) : place + _AROUND]
            if form not in (b"cw_", b"cwi_", b"whsec_") or _TOLD.match(text, place):
                yield around.decode(errors="replace")
            place = text.find(form, place + len(form))


def stores(servers: Servers) -> list[tuple[str, bytes]]:
    """What is kept, in tables, logs and the broker, and what strangers get."""
    return [*_tables(servers), *_logs(servers), *_broker(servers), *_pages()]


def showing(places: Iterable[tuple[str, bytes]]) -> Iterator[str]:
    """Those of these places that show a secret."""
    for place, text in places:
        for one in shown_in(text):
            yield f"{place}: {one}"


def _tables(servers: Servers) -> Iterator[tuple[str, bytes]]:
    """Every table as a superuser reads it."""
    with servers.postgres.connect() as owner:
        names = owner.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for (name,) in names:
            with owner.cursor().copy(f"COPY {name} TO STDOUT") as rows:
                yield f"table {name}", b"".join(map(bytes, rows))


def _logs(servers: Servers) -> Iterator[tuple[str, bytes]]:
    """What servers and processes of this session have logged."""
    for path in servers.folder.rglob("*"):
        if "log" in path.relative_to(servers.folder).as_posix() and "mail" not in path.parts and path.is_file():
            yield f"file {path.relative_to(servers.folder)}", _read(path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # PostgreSQL has just put it away
        return b""


def _broker(servers: Servers) -> Iterator[tuple[str, bytes]]:
    with redis.Redis.from_url(servers.broker.url) as client:
        for key in client.scan_iter():
            yield f"broker {key!r}", bytes(key) + (client.dump(key) or b"")


def _pages() -> Iterator[tuple[str, bytes]]:
    """Metrics, and what strangers get."""
    client = Client(raise_request_exception=False)
    for page in ("/metrics", "/readyz", "/nowhere", "/v1/runs", "/admin/nowhere/", reverse("admin:login")):
        yield f"page {page}", client.get(page).content
