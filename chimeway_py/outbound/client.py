"""One guarded HTTP exchange: no redirects, no proxies from the environment, bounded in time and size."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import httpcore2
import httpx2

from chimeway_py.outbound.guard import GuardedBackend, check_url

TOTAL_SECONDS = 8.0  # less than a lease, so that a slow receiver does not cost us the claim
CONNECT_SECONDS = 3.0
MAX_REQUEST_BYTES = 256 * 1024
MAX_ANSWER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, the headers (names in lower case), and the start of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class RequestTooLarge(ValueError):
    """The body is larger than `MAX_REQUEST_BYTES`."""


class GuardedTransport(httpx2.HTTPTransport):
    """httpx2's transport over guarded sockets. Its constructor takes no network backend, so we fill the pool in."""

    def __init__(self, total_seconds: float) -> None:
        self._pool = httpcore2.ConnectionPool(
            ssl_context=_tls(), max_connections=1, network_backend=GuardedBackend(total_seconds)
        )


def exchange(
    method: str, url: str, *, content: bytes = b"", headers: Mapping[str, str], total_seconds: float = TOTAL_SECONDS
) -> Answer:
    """Send one request and read the answer's status and the first `MAX_ANSWER_BYTES` of its body.

    Raises `AddressRefused`, `RequestTooLarge`, or an `httpx2.HTTPError` for whatever the network did.
    """
    check_url(url)
    if len(content) > MAX_REQUEST_BYTES:
        raise RequestTooLarge
    timeout = httpx2.Timeout(total_seconds, connect=CONNECT_SECONDS)
    with (
        httpx2.Client(
            transport=GuardedTransport(total_seconds), trust_env=False, follow_redirects=False, timeout=timeout
        ) as client,
        client.stream(method, url, content=content, headers=dict(headers)) as response,
    ):
        return Answer(response.status_code, dict(response.headers), _start_of_body(response))


def _start_of_body(response: httpx2.Response) -> bytes:
    """Raw, so that a compressed bomb stays compressed; a body that breaks off does not undo the status we have read."""
    body = b""
    try:
        for chunk in response.iter_raw():
            body += chunk
            if len(body) >= MAX_ANSWER_BYTES:
                break
    except httpx2.HTTPError:
        pass
    return body[:MAX_ANSWER_BYTES]


@lru_cache
def _tls() -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=False)
