"""PostgreSQL refuses to run as root, so root starts it as another user, who must be able to reach its files."""

import hashlib
import os
import pwd
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CANDIDATES = ("postgres", "nobody")
SYSTEM_FOLDER = Path("/var/lib/chimeway")  # where root keeps what the other user cannot reach below root's own home


class CannotReach(Exception):
    """The data is where the account may not go (any more)."""


@dataclass(frozen=True, slots=True)
class Account:
    """The user that a child runs as."""

    name: str
    uid: int
    gid: int


def unprivileged() -> Account | None:
    """Whom to run PostgreSQL as: nobody else (None) for an ordinary user, a system account for root."""
    if os.geteuid() != 0:
        return None
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise LookupError(f"root needs one of these accounts to run PostgreSQL: {', '.join(CANDIDATES)}")


def can_reach(account: Account | None, path: Path) -> bool:
    """Whether the account may enter every folder above `path` (a person's home is often 0700)."""
    return account is None or all(_may_enter(account, folder) for folder in path.resolve().parents)


def reachable_folder(wanted: Path, account: Account | None) -> Path:
    """The wanted folder, or one in a system place (linked from the wanted one) where the account cannot get there.

    Raises CannotReach when the wanted folder exists and cannot be reached.
    """
    wanted.parent.mkdir(parents=True, exist_ok=True)
    real = wanted.resolve()
    if account and not can_reach(account, real):
        if real.is_dir():
            raise CannotReach(f"{account.name}, whom PostgreSQL runs as, cannot reach {real}, where its data is.")
        real = SYSTEM_FOLDER / f"{wanted.name}-{hashlib.sha256(str(wanted.absolute()).encode()).hexdigest()[:12]}"
        real.mkdir(parents=True, exist_ok=True)
        wanted.unlink(missing_ok=True)
        wanted.symlink_to(real)
    real.mkdir(exist_ok=True)
    real.chmod(0o711 if account else 0o700)
    return real


def give(folder: Path, account: Account | None) -> None:
    """Make the account the owner of a folder and all that is in it."""
    if account is None:
        return
    for path in _everything(folder):
        shutil.chown(path, account.uid, account.gid)


def _may_enter(account: Account, folder: Path) -> bool:
    status = folder.stat()
    bit = 0o100 if status.st_uid == account.uid else 0o010 if status.st_gid == account.gid else 0o001
    return bool(status.st_mode & bit)


def _everything(folder: Path) -> Iterator[Path]:
    yield folder
    yield from folder.rglob("*")
