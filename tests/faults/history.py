"""The code as it was before the newest migration, from the history of the repository."""

import re
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = ("tenants", "signals_app", "workflows", "deliveries")
FARTHEST = 60  # commits that touched migrations


class NoHistory(Exception):
    """There is nothing to compare with, and the message says why."""


def commit_before_last_migration(root: Path = ROOT) -> str:
    """The newest commit that lacks a migration of today, and has no other. Raises NoHistory."""
    today = _migrations(root, "HEAD")
    touched = _git(root, "log", "--format=%H", "-n", str(FARTHEST), "HEAD", "--", "*/migrations/*.py").split()
    for commit in touched:
        try:
            before = _migrations(root, f"{commit}^")
        except NoHistory:  # the first commit, or the first of a shallow copy
            break
        if before and before.items() < today.items() and not _collide(before):
            return _git(root, "rev-parse", f"{commit}^").strip()
    raise NoHistory("the history here has no commit from before the newest migration")


def check_out(commit: str, folder: Path, root: Path = ROOT) -> Path:
    """The code of a commit in a folder of its own; nothing is changed where the repository lies. Raises NoHistory."""
    folder.mkdir(parents=True)
    archive = folder.with_suffix(".tar")
    _git(root, "archive", "--format=tar", f"--output={archive}", commit)
    with tarfile.open(archive) as packed:
        packed.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4 and newer have it
        packed.extractall(folder)  # noqa: S202  written by git, from this repository
    archive.unlink()
    return folder


def _migrations(root: Path, commit: str) -> Mapping[str, str]:
    """Migrations of a commit with their contents' ids, by path."""
    lines = [line.split() for line in _git(root, "ls-tree", "-r", commit, "--", *APPS).splitlines()]
    return {path: blob for _, _, blob, path in lines if re.search(r"/migrations/\d{4}_\w+\.py$", path)}


def _collide(migrations: Mapping[str, str]) -> bool:
    """Whether two migrations of an app have one number: a commit in the middle of being brought together."""
    numbers = [path[: path.rindex("/") + 5] for path in migrations]
    return len(set(numbers)) < len(numbers)


def _git(root: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True, timeout=60)
    except FileNotFoundError:
        raise NoHistory("there is no git here") from None
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise NoHistory(f"git {words[0]}: {(error.stderr or str(error)).strip().splitlines()[-1]}") from error
    return done.stdout
