"""Which addresses are refused, and under which name. Pure: no socket is opened."""

import pytest

from chimeway_py.outbound.addresses import refusal_of
from chimeway_py.outbound.guard import AddressRefused, check_host, check_url

REFUSED = [
    ("0.0.0.0", "this_host"),  # noqa: S104 (Linux connects it to itself)
    ("0.1.2.3", "this_host"),
    ("10.0.0.1", "private"),
    ("10.255.255.255", "private"),
    ("100.64.0.1", "carrier_nat"),
    ("100.127.255.254", "carrier_nat"),
    ("127.0.0.1", "loopback"),
    ("127.8.9.10", "loopback"),
    ("169.254.0.1", "link_local"),
    ("169.254.169.254", "link_local"),  # where clouds keep credentials
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.0.0.8", "protocol"),
    ("192.0.0.192", "protocol"),
    ("192.0.2.1", "documentation"),
    ("192.88.99.1", "6to4_relay"),
    ("192.168.1.1", "private"),
    ("198.18.0.1", "benchmark"),
    ("198.51.100.7", "documentation"),
    ("203.0.113.9", "documentation"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.250", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "reserved"),
    ("::", "unspecified"),
    ("::1", "loopback"),
    ("::127.0.0.1", "ipv4_compatible"),
    ("::8.8.8.8", "ipv4_compatible"),
    ("::ffff:127.0.0.1", "ipv4_mapped"),
    ("::ffff:8.8.8.8", "ipv4_mapped"),
    ("::ffff:a9fe:a9fe", "ipv4_mapped"),  # 169.254.169.254
    ("::ffff:0:7f00:1", "ipv4_translated"),
    ("64:ff9b::7f00:1", "nat64"),
    ("64:ff9b::a9fe:a9fe", "nat64"),
    ("64:ff9b:1::a00:1", "nat64"),
    ("64:ff9b:1:ffff::1", "nat64"),
    ("100::1", "discard"),
    ("100:0:0:1::1", "reserved"),
    ("2001:0:7f00:1::1", "teredo"),
    ("2001:2::1", "protocol"),
    ("2001:10::1", "protocol"),
    ("2001:db8::1", "documentation"),
    ("2002:7f00:1::1", "6to4"),
    ("2002:a9fe:a9fe::", "6to4"),
    ("2a00:1450::5efe:7f00:1", "isatap"),
    ("2a00:1450::200:5efe:a00:1", "isatap"),
    ("3fff::1", "documentation"),
    ("4000::1", "reserved"),
    ("5f00::1", "segment_routing"),
    ("fc00::1", "private"),
    ("fd12:3456::1", "private"),
    ("fe80::1", "link_local"),
    ("fe80::1%lo", "link_local"),
    ("fec0::1", "private"),
    ("ff02::1", "multicast"),
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.0.1",
    "172.32.0.1",
    "2606:4700:4700::1111",
    "2a00:1450::1",
]
ODD_HOSTS = [
    "2130706433",  # 127.0.0.1 in decimal
    "017700000001",  # in octal
    "0x7f000001",
    "0x7f.0.0.1",
    "127.1",
    "127.0.1",
    "0177.0.0.1",
    "127.0.0.01",
    "127.0.0.1.",
    "1.1.1.0x1",
    "8.8.8.010",
    "",
    "a b",
    "a\r\nb",
    "①②⑦.⓪.⓪.①",
    "example.com%00",
]
ODD_URLS = [
    ("ftp://example.com/", "scheme"),
    ("file:///etc/passwd", "scheme"),
    ("gopher://example.com/", "scheme"),
    ("//example.com/", "scheme"),
    ("http://user@example.com/", "credentials_in_url"),
    ("http://user:secret@example.com/", "credentials_in_url"),
    ("http://example.com:22/", "port"),
    ("http://example.com:25/", "port"),
    ("http://example.com:0/", "port"),
    ("http://example.com:99999/", "malformed_url"),
    ("http://[::1/", "malformed_url"),
    ("http:///path", "malformed_host"),
    ("http://2130706433/", "numeric_host"),
    ("http://[::ffff:127.0.0.1]/", "ipv4_mapped"),
    ("https://169.254.169.254/latest/meta-data", "link_local"),
]


@pytest.mark.parametrize(("address", "reason"), REFUSED)
def test_special_addresses_are_refused_by_name(address: str, reason: str) -> None:
    assert refusal_of(address) == reason


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address: str) -> None:
    assert refusal_of(address) is None


@pytest.mark.parametrize("host", ODD_HOSTS)
def test_odd_spellings_of_hosts_are_refused(host: str) -> None:
    with pytest.raises(AddressRefused):
        check_host(host)


@pytest.mark.parametrize(("url", "reason"), ODD_URLS)
def test_odd_urls_are_refused_without_a_lookup(url: str, reason: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        check_url(url)

    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "url", ["https://example.com/hook", "http://example.com:8080/", "https://1.1.1.1/", "https://[2a00:1450::1]/"]
)
def test_ordinary_urls_pass(url: str) -> None:
    check_url(url)


def test_the_operator_may_allow_networks(settings) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["10.1.0.0/16", "fd00::/8"]

    assert refusal_of("10.1.2.3") is None
    assert refusal_of("fd00::1") is None
    assert refusal_of("10.2.0.1") == "private"
    assert refusal_of("::ffff:10.1.2.3") == "ipv4_mapped"
