"""One try at a call: what came back, or why nothing did, and what both say about trying again."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

from chimeway_py.outbound.client import TOTAL_SECONDS, Answer, RequestTooLarge, exchange
from chimeway_py.outbound.guard import AddressRefused

LONGEST_RETRY_AFTER = 24 * 3600.0
_NOT_YET = frozenset({408, 425, 429, 503})  # "I have not done it, come again": the receiver says so itself
_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Called:
    """What one call came to. `error` is a code and holds no word of the receiver's; empty for a status 2xx.

    `maybe_done`: the receiver may have acted on the request although it did not say so. `retry_after` is in seconds.
    """

    answer: Answer | None = None
    error: str = ""
    retryable: bool = False
    maybe_done: bool = False
    retry_after: float | None = None


def call(
    method: str, url: str, *, content: bytes = b"", headers: Mapping[str, str], total_seconds: float = TOTAL_SECONDS
) -> Called:
    """Send one request through the guard. Never raises for what an address or a network does."""
    if not all(map(_is_sayable, headers.values())):
        return Called(error="malformed header")
    try:
        answer = exchange(method, url, content=content, headers=headers, total_seconds=total_seconds)
    except AddressRefused as error:
        return Called(error=f"address refused: {error.reason}")
    except RequestTooLarge:
        return Called(error="message too large")
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol):
        return Called(error="malformed url")
    except httpx2.HTTPError as error:
        return _broken(error)
    return _answered(answer)


def _is_sayable(value: str) -> bool:
    """Whether a header can hold it: an account's token may have been stored with a line break."""
    return value.isascii() and not any(c in value for c in "\r\n\0")


def retry_after(header: str) -> float | None:
    """Seconds that a `Retry-After` asks for (a number or an HTTP date), at most a day; None when it makes no sense."""
    try:
        if header.isascii() and header.isdigit():
            seconds = float(header[:12])
        else:
            seconds = (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def _answered(answer: Answer) -> Called:
    status, error = answer.status, f"http {answer.status}"
    if 200 <= status < 300:
        return Called(answer)
    if status in _NOT_YET:
        wait = retry_after(answer.headers.get("retry-after", "")) if status in (429, 503) else None
        return Called(answer, error, retryable=True, retry_after=wait)
    return Called(answer, error, retryable=status >= 500, maybe_done=status >= 500)


def _broken(error: httpx2.HTTPError) -> Called:
    """A certificate that does not prove the name will not do so in a minute; everything else may pass."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Called(error="certificate not valid")
        cause = cause.__cause__ or cause.__context__
    return Called(
        error=f"network {type(error).__name__}", retryable=True, maybe_done=not isinstance(error, _NEVER_SENT)
    )
