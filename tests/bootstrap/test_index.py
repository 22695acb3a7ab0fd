"""Where packages come from: pip's settings are honoured before there is a pip, and the hash decides."""

import hashlib
from pathlib import Path

import pytest
from bootstrap import index
from pytest_httpserver import HTTPServer

NAME, CONTENT = "thing-1.0-py3-none-any.whl", b"a wheel"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_named_file_beats_the_users_which_beats_the_systems(tmp_path: Path) -> None:
    write(tmp_path / "system/pip/pip.conf", "[global]\nindex-url = https://system\ncert = /system.pem\n")
    write(tmp_path / "home/config/pip/pip.conf", "[global]\nindex-url = https://user\n")
    assert (index.setting("index-url"), index.setting("cert")) == ("https://user", "/system.pem")

    write(tmp_path / "named.conf", "[install]\nindex-url = https://named\n")

    assert index.setting("index-url") == "https://named"


def test_the_environment_beats_every_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "named.conf", "[global]\nindex-url = https://file\n")

    monkeypatch.setenv("PIP_INDEX_URL", "https://environment")

    assert index.indexes() == ["https://environment"]


def test_without_settings_the_public_index_is_asked() -> None:
    assert index.indexes() == ["https://pypi.org/simple"]
    assert index.as_uv_settings() == {"UV_DEFAULT_INDEX": "https://pypi.org/simple"}


def test_a_folder_of_wheels_needs_no_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "wheels" / NAME, CONTENT)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))

    assert index.fetch("thing", NAME, SHA256) == CONTENT


def test_an_index_in_files_is_read_through_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "files" / NAME, CONTENT)
    write(tmp_path / "simple/thing/index.html", f'<a href="../../files/{NAME}#sha256={SHA256}">{NAME}</a>')
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())

    assert index.fetch("thing", NAME, SHA256) == CONTENT


def test_credentials_of_an_index_go_into_a_header(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    login = {"Authorization": "Basic bWU6cEBzcw=="}
    httpserver.expect_request("/simple/thing/", headers=login).respond_with_data(f'<a href="/files/{NAME}">x</a>')
    httpserver.expect_request(f"/files/{NAME}").respond_with_data(CONTENT)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://me:p%40ss@{httpserver.host}:{httpserver.port}/simple")

    assert index.fetch("thing", NAME, SHA256) == CONTENT


def test_another_file_under_that_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "wheels" / NAME, b"something else")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))

    with pytest.raises(index.NotFetched, match="another file under that name"):
        index.fetch("thing", NAME, SHA256)


def test_a_failure_names_every_place_and_no_password(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    httpserver.expect_request("/simple/thing/").respond_with_data("nothing here")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://me:secret@{httpserver.host}:{httpserver.port}/simple")

    with pytest.raises(index.NotFetched) as refusal:
        index.fetch("thing", NAME, SHA256)

    assert f"{httpserver.host}:{httpserver.port}/simple/thing/: not there" in str(refusal.value)
    assert "secret" not in str(refusal.value)
