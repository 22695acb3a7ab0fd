"""The connect-time guard: resolve once, check every answer, connect to the checked address.

A check before the fetch is bypassed by a name that answers differently the second time (DNS rebinding), so the check
sits where the socket is opened. The host name stays in the `Host` header and in TLS; only the socket goes to
the address.
"""

import re
import socket
import ssl
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import httpcore2

from chimeway_py.errors import ChimewayError, fault
from chimeway_py.outbound.addresses import refusal_of

LONGEST_URL = 2000
SCHEMES = frozenset({"http", "https"})
PORTS = frozenset({80, 443}) | frozenset(range(1024, 65536))  # no mail, shell, name or file servers
_ENDS_IN_NUMBER = re.compile(r"(^|\.)(\d+|0[xX][0-9a-fA-F]*)\.?$")
_CANONICAL_IPV4 = re.compile(r"(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}")


class AddressRefused(ChimewayError):
    """We do not call this address."""

    code = "address_refused"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"We do not call this address: {reason}.", {"reason": reason})


def check_url(url: str) -> None:
    """Raise `AddressRefused` for what can be refused without asking the name service: the form of the URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise AddressRefused("malformed_url") from None
    if parts.scheme not in SCHEMES:
        raise AddressRefused("scheme")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("credentials_in_url")
    check_host(host)
    if (port if port is not None else 443) not in PORTS:
        raise AddressRefused("port")


def url_faults(url: str, path: str = "/url") -> list[dict[str, str]]:
    """What is wrong with an address that somebody wants to store, judged by its form; for the detail of `Invalid`."""
    try:
        if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable():
            raise AddressRefused("malformed_url")
        check_url(url)
    except AddressRefused as error:
        return [fault(path, error.code, f"{error.message} An http or https address of the public internet.")]
    return []


def check_host(host: str) -> None:
    """Raise `AddressRefused` for a host that is empty, an odd spelling of an address (2130706433), or refused."""
    if not host or not host.isascii() or any(c in host for c in " \t\r\n%\\/@"):
        raise AddressRefused("malformed_host")
    if not _is_sayable(host):
        raise AddressRefused("malformed_host")
    if ":" not in host and _ENDS_IN_NUMBER.search(host) and not _CANONICAL_IPV4.fullmatch(host):
        raise AddressRefused("numeric_host")
    try:
        reason = refusal_of(host)
    except ValueError:
        return  # a name: its addresses are checked when we connect
    if reason:
        raise AddressRefused(reason)


def _is_sayable(host: str) -> bool:
    """Whether the name service can be asked for it: a label is 1 to 63 characters long."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def checked_addresses(host: str, port: int) -> list[str]:
    """The addresses of `host`, all of them fit to call. One refused answer refuses the name: a mixed answer is a trap.

    Raises `AddressRefused`, or `httpcore2.ConnectError` when the name does not resolve.
    """
    check_host(host)
    if port not in PORTS:
        raise AddressRefused("port")
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError("name_not_resolved") from error
    addresses = list(dict.fromkeys(str(answer[4][0]) for answer in answers))
    for address in addresses:
        if reason := refusal_of(address):
            raise AddressRefused(reason)
    return addresses


class GuardedBackend(httpcore2.NetworkBackend):
    """Opens sockets to checked addresses only, and gives the whole exchange `total_seconds`."""

    def __init__(self, total_seconds: float) -> None:
        self._ends_at = time.monotonic() + total_seconds
        self._sockets = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """A stream to the first address that answers. Raises `AddressRefused` before any packet is sent."""
        failure: Exception = httpcore2.ConnectError("no_address")
        for address in checked_addresses(host, port):
            try:
                stream = self._sockets.connect_tcp(
                    address, port, _seconds_left(self._ends_at, timeout), local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return _TimedStream(stream, self._ends_at)
        raise failure


class _TimedStream(httpcore2.NetworkStream):
    """A stream that ends with the exchange: a receiver that drips a byte at a time never renews its timeout."""

    def __init__(self, stream: httpcore2.NetworkStream, ends_at: float) -> None:
        self._stream = stream
        self._ends_at = ends_at

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _seconds_left(self._ends_at, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _seconds_left(self._ends_at, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, _seconds_left(self._ends_at, timeout))
        return _TimedStream(secured, self._ends_at)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _seconds_left(ends_at: float, timeout: float | None) -> float:
    left = ends_at - time.monotonic()
    if left <= 0:
        raise httpcore2.ReadTimeout("exchange_timed_out")
    return left if timeout is None else min(left, timeout)
