"""Which addresses a tenant may make us call: those of the public internet, and what the operator allows besides.

The tables follow IANA's special-purpose registries. They are our own because Python's `is_global` differs between
versions and passes forms that carry another address inside (NAT64, 6to4, IPv4-compatible).
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_IPV4_REFUSED = {
    "0.0.0.0/8": "this_host",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "carrier_nat",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link_local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "protocol",
    "192.0.2.0/24": "documentation",
    "192.88.99.0/24": "6to4_relay",
    "192.168.0.0/16": "private",
    "198.18.0.0/15": "benchmark",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
}
_IPV6_REFUSED = {  # the first that holds the address names the reason
    "::/128": "unspecified",
    "::1/128": "loopback",
    "::ffff:0:0/96": "ipv4_mapped",
    "::ffff:0:0:0/96": "ipv4_translated",
    "::/96": "ipv4_compatible",
    "64:ff9b::/96": "nat64",
    "64:ff9b:1::/48": "nat64",
    "100::/64": "discard",
    "2001::/32": "teredo",
    "2001:db8::/32": "documentation",
    "2001::/23": "protocol",
    "2002::/16": "6to4",
    "3fff::/20": "documentation",
    "5f00::/16": "segment_routing",
    "fc00::/7": "private",
    "fe80::/10": "link_local",
    "fec0::/10": "private",
    "ff00::/8": "multicast",
}
_IPV4_TABLE = [(IPv4Network(network), reason) for network, reason in _IPV4_REFUSED.items()]
_IPV6_TABLE = [(IPv6Network(network), reason) for network, reason in _IPV6_REFUSED.items()]
_IPV6_PUBLIC = IPv6Network("2000::/3")  # all that IANA has given out
_ISATAP = (0x00005EFE, 0x02005EFE)  # upper half of an interface identifier that carries an IPv4 address


def refusal_of(address: str) -> str | None:
    """Why we must not connect to this address (one word), or None when it is public or allowed by the operator.

    Raises ValueError when `address` is not an IP address.
    """
    parsed = ip_address(address)
    if any(parsed in network for network in allowed_networks()):
        return None
    return _refusal_ipv4(parsed) if isinstance(parsed, IPv4Address) else _refusal_ipv6(parsed)


def _refusal_ipv4(address: IPv4Address) -> str | None:
    return next((reason for network, reason in _IPV4_TABLE if address in network), None)


def _refusal_ipv6(address: IPv6Address) -> str | None:
    found = next((reason for network, reason in _IPV6_TABLE if address in network), None)
    if found is None and address not in _IPV6_PUBLIC:
        return "reserved"
    if found is None and (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        return "isatap"
    return found


def allowed_networks() -> tuple[Network, ...]:
    """The operator's exceptions, `settings.OUTBOUND_ALLOWED_NETWORKS`. Raises ValueError when one is not a CIDR."""
    return _parse(tuple(settings.OUTBOUND_ALLOWED_NETWORKS))


@lru_cache
def _parse(networks: Iterable[str]) -> tuple[Network, ...]:
    return tuple(ip_network(network) for network in networks)
