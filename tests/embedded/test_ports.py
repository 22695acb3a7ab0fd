"""Ports that are kept for servers to come."""

from pathlib import Path

import pytest

from chimeway_py.embedded import memory
from chimeway_py.embedded.memory import LOWEST, free_port, is_free


def test_a_free_port_is_none_that_a_connection_may_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outgoing = tmp_path / "range"
    outgoing.write_text("32768\t60999\n")
    monkeypatch.setattr(memory, "OUTGOING", outgoing)

    assert all(LOWEST <= free_port() < 32_768 for _ in range(50))


@pytest.mark.parametrize("told", ["", "1024 65535", "no numbers"])
def test_where_connections_are_given_any_port_it_is_one_that_is_free_now(
    told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outgoing = tmp_path / "range"
    outgoing.write_text(told)
    monkeypatch.setattr(memory, "OUTGOING", outgoing)

    assert is_free(free_port())
