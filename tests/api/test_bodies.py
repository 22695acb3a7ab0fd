"""Bodies over real HTTP: a real server, raw sockets, headers that lie."""

import json
import socket
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from signals_app.models import Signal
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.api.poison import BODIES, Poison

MIB = 1024 * 1024
GOOD = b'{"name":"invoice.paid"}'
Exchange = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def exchange(web_server: str, tenant: Tenant, api_key: Callable[..., str]) -> Exchange:
    """Sends raw bytes after the headers, and returns the status and the JSON of the answer."""
    address = urllib.parse.urlsplit(web_server)
    key = api_key(tenant)

    def send(*pieces: bytes, end: bool = False, **headers: str) -> tuple[int, dict[str, Any]]:
        lines = {"Host": "127.0.0.1", "Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        lines |= {"Connection": "close"} | {name.replace("_", "-"): value for name, value in headers.items()}
        head = "POST /v1/signals HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
            connection.sendall(head.encode("latin-1") + b"\r\n")
            try:
                for piece in pieces:
                    connection.sendall(piece)
            except OSError:
                pass  # refused before it was read
            if end:
                connection.shutdown(socket.SHUT_WR)
            return _parsed(b"".join(_received(connection)))

    return send


def _received(connection: socket.socket) -> Iterator[bytes]:
    try:
        while piece := connection.recv(65536):
            yield piece
    except ConnectionResetError:
        return


def _parsed(raw: bytes) -> tuple[int, dict[str, Any]]:
    head, _, body = raw.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def chunk(piece: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(piece), piece)


def stored(tenant: Tenant) -> int:
    with tenant_scope(tenant.pk):
        return Signal.objects.count()


@pytest.mark.parametrize("poison", BODIES, ids=str)
def test_a_poison_body_is_400_and_names_the_path(exchange: Exchange, tenant: Tenant, poison: Poison) -> None:
    status, answer = exchange(poison.body, Content_Length=str(len(poison.body)))

    assert status == 400
    assert (answer["detail"][0]["path"], answer["detail"][0]["code"]) == (poison.path, poison.code)
    assert answer["request_id"]
    assert stored(tenant) == 0


@pytest.mark.parametrize("charset", ["utf-16", "latin-1", "utf-7", "klingon", '"utf-8\\"'])
def test_an_odd_charset_is_400(exchange: Exchange, charset: str) -> None:
    status, answer = exchange(GOOD, Content_Length=str(len(GOOD)), Content_Type=f"application/json; charset={charset}")

    assert (status, answer["detail"][0]["code"]) == (400, "bad_charset")


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"'])
def test_utf_8_may_be_declared(exchange: Exchange, charset: str) -> None:
    status, _ = exchange(GOOD, Content_Length=str(len(GOOD)), Content_Type=f"application/json; charset={charset}")

    assert status == 202


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip"])
def test_a_compressed_body_is_415(exchange: Exchange, encoding: str) -> None:
    status, answer = exchange(GOOD, Content_Length=str(len(GOOD)), Content_Encoding=encoding)

    assert (status, answer["code"]) == (415, "unsupported_encoding")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x" * 4000]
)
def test_what_is_not_json_is_415(exchange: Exchange, kind: str) -> None:
    status, answer = exchange(GOOD, Content_Length=str(len(GOOD)), Content_Type=kind)

    assert (status, answer["code"]) == (415, "unsupported_media_type")


def test_no_body_is_400(exchange: Exchange) -> None:
    status, answer = exchange(Content_Length="0")

    assert (status, answer["detail"][0]["path"]) == (400, "/name")


def test_ten_megabytes_are_413_before_they_are_read(exchange: Exchange) -> None:
    status, answer = exchange(Content_Length=str(10 * MIB))  # not one byte of them is sent

    assert (status, answer["code"]) == (413, "body_too_large")


def test_chunks_are_taken(exchange: Exchange, tenant: Tenant) -> None:
    status, _ = exchange(chunk(GOOD[:5]), chunk(GOOD[5:]), b"0\r\n\r\n", Transfer_Encoding="chunked")

    assert status == 202
    assert stored(tenant) == 1


def test_chunks_without_end_are_413(exchange: Exchange, tenant: Tenant) -> None:
    status, answer = exchange(*[chunk(b" " * 65536)] * 17, Transfer_Encoding="chunked")

    assert (status, answer["code"]) == (413, "body_too_large")
    assert stored(tenant) == 0


def test_a_body_that_ends_before_its_declared_length_is_400(exchange: Exchange, tenant: Tenant) -> None:
    status, answer = exchange(GOOD, end=True, Content_Length=str(len(GOOD) + 10))

    assert (status, answer["code"]) == (400, "body_incomplete")
    assert stored(tenant) == 0


def test_a_body_that_is_longer_than_declared_is_cut_and_refused(exchange: Exchange, tenant: Tenant) -> None:
    status, answer = exchange(GOOD, Content_Length=str(len(GOOD) - 1))

    assert (status, answer["detail"][0]["code"]) == (400, "not_json")
    assert stored(tenant) == 0


def test_a_megabyte_is_not_too_large(exchange: Exchange, tenant: Tenant) -> None:
    body = json.dumps({"name": "a", "data": {"x": ""}}).encode()
    body = body.replace(b'""', b'"' + b"x" * (MIB - len(body)) + b'"')

    status, _ = exchange(body, Content_Length=str(len(body)))

    assert len(body) == MIB
    assert status == 202
