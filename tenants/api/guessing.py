"""Keys that are guessed: an address that fails too often is refused before anybody looks its keys up."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.http import HttpRequest

from chimeway_py.addresses import address_of
from chimeway_py.errors import ChimewayError
from chimeway_py.failures import Brake
from tenants.api.authentication import NotAuthenticated, TenantSuspended

keys = Brake()


class TooManyFailures(ChimewayError):
    """Too many requests from this address had no live key. Nothing was looked up; try again after `Retry-After`."""

    code = "too_many_failures"
    status = 429
    retryable = True

    def __init__(self, seconds: float) -> None:
        self.wait = max(1, round(seconds))
        super().__init__()


def refuse_guesses(request: HttpRequest) -> None:
    """Raise `TooManyFailures` for an address that failed too often. A key that was good lately is let through."""
    seconds = keys.seconds_to_wait(address_of(request), _shown(request), settings.FAILED_KEYS_PER_MINUTE)
    if seconds:
        raise TooManyFailures(seconds)


@contextmanager
def counting_failures(request: HttpRequest) -> Iterator[None]:
    """Whoever has no live key inside has failed once; who has one has proved what the request shows.

    A key that was revoked, has ended or whose tenant is suspended proves nothing any more: it is braked like a guess.
    """
    try:
        yield
    except (NotAuthenticated, TenantSuspended):
        keys.failed(address_of(request), settings.FAILED_KEYS_PER_MINUTE, _shown(request))
        raise
    keys.proved(_shown(request))


def _shown(request: HttpRequest) -> str:
    """All that the request shows to be let in: whoever has a good key may not hide guesses behind a part that stays."""
    headers = (request.headers.get("Authorization", ""), request.headers.get("X-Api-Key", ""))
    return "\n".join((*headers, request.GET.get("token", ""))).strip()
