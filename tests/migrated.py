"""A migrated database in a blink: built once for each state of the migrations, copied for each test session."""

import ast
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chimeway_py.embedded import accounts, postgres_files
from chimeway_py.embedded.memory import free_port
from chimeway_py.embedded.postgres import ROLES_SCRIPT, Postgres

ROOT = Path(__file__).resolve().parents[1]
_SETTINGS = {"SECRET_KEY": "only to migrate", "PAYLOAD_KEYS": f"{'A' * 43}=", "HTTPS": "0"}
OURS = ("chimeway_py", "tenants", "signals_app", "workflows", "deliveries")
KEPT = 3  # states of the migrations that stay on disk


def migrated_copy(folder: Path) -> Postgres:
    """A server, not yet started, whose database is migrated. It may forget what it wrote if the machine loses power."""
    shutil.copytree(_pristine(), folder, symlinks=True)
    server = Postgres(folder, durable=False, port=free_port())  # the original remembers one, for all its copies
    accounts.give(server.data, server.account)
    return server


def _pristine() -> Path:
    cache = Path(os.environ.get("CHIMEWAY_HOME") or ROOT / ".chimeway") / "tests"
    cache.mkdir(parents=True, exist_ok=True)
    found = cache / _state()
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            _build(found)
            _forget_old_states(cache)
    os.utime(found)
    return found


def _build(target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="chimeway-migrate-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        server = Postgres(folder / "postgres", durable=False)
        server.start()
        try:
            _migrate(server)
        finally:
            server.stop()
        draft = target.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(server.folder, draft, ignore=shutil.ignore_patterns("log"))
        draft.rename(target)


def _migrate(server: Postgres) -> None:
    addresses = {"DATABASE_URL": server.url("chimeway_app"), "DATABASE_OWNER_URL": server.url("chimeway_owner")}
    made = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--database", "owner", "--no-input", "--verbosity", "0"],
        env={**os.environ, **addresses, **_SETTINGS},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise pytest.UsageError(f"The migrations failed:\n{made.stdout}{made.stderr}")


def _state() -> str:
    digest = hashlib.sha256()
    for path in [ROLES_SCRIPT, ROOT / "requirements.txt", *sorted(_migration_files())]:
        digest.update(path.read_bytes())
    digest.update(str(postgres_files.programs(accounts.unprivileged())).encode())
    return digest.hexdigest()[:20]


def _migration_files() -> set[Path]:
    migrations = {path for app in OURS for path in (ROOT / app).glob("migrations/*.py")}
    return migrations | {module for path in migrations for module in _imported_by(path)}


def _imported_by(path: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in OURS:
            module = ROOT / str(node.module).replace(".", "/")
            names = [module.with_suffix(".py"), *((module / alias.name).with_suffix(".py") for alias in node.names)]
            yield from (name for name in names if name.is_file())


def _forget_old_states(cache: Path) -> None:
    states = sorted((path for path in cache.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for path in states[:-KEPT]:
        shutil.rmtree(path, ignore_errors=True)
