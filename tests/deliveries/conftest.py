"""Fixtures of deliveries."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer


@pytest.fixture
def untrusted_server() -> Iterator[HTTPServer]:
    """An https receiver whose certificate nobody signed. Its key is public and guards nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(__file__).parent / "untrusted.pem")
    with HTTPServer(host="127.0.0.1", ssl_context=context) as server:
        yield server
