"""Where a request comes from: the address of the socket, or what proxies that we trust say was before them."""

import ipaddress
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def address_of(request: HttpRequest) -> str:
    """The address that failures are counted by; empty when a request has none. IPv6 by its /64: one customer.

    `X-Forwarded-For` counts only as far as each hop is one of `TRUSTED_PROXIES`, read from the right: whatever stands
    further left was written by somebody we do not know.
    """
    address = str(request.META.get("REMOTE_ADDR") or "")
    hops = [hop.strip() for hop in str(request.META.get("HTTP_X_FORWARDED_FOR", "")).split(",")]
    trusted = _networks(tuple(settings.TRUSTED_PROXIES))
    while hops and _is_in(address, trusted) and _read(hops[-1]) is not None:
        address = hops.pop()
    return _counted_by(address)


def client_address(request: HttpRequest) -> str | None:
    """The same, as the sign-in counts: None where there is none."""
    return address_of(request) or None


@lru_cache(maxsize=1024)
def _counted_by(text: str) -> str:
    address = _read(text)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((address, 64), strict=False).network_address)
    return str(address) if address else ""


def _read(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_in(text: str, networks: tuple[Network, ...]) -> bool:
    address = _read(text)
    return address is not None and any(address in network for network in networks)


@lru_cache(maxsize=4)
def _networks(named: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(name) for name in named)
