"""Installing a set of pinned, hashed requirements, and remembering that it was done."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TextIO

from bootstrap import environment, index
from bootstrap.progress import fail, overwrite, say

SETS = {  # each holds the one before it
    "runtime": "requirements.txt",
    "embedded": "requirements-embedded.txt",
    "dev": "requirements-dev.txt",
    "browser": "requirements-browser.txt",
}
PIP = "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"


def is_installed(requirements: str, home: Path, root: Path) -> bool:
    """Whether exactly this version of the set was installed by an earlier start."""
    stamp = stamp_of(requirements, home)
    return stamp.is_file() and stamp.read_text() == digest(requirements, home, root)


def install(requirements: str, home: Path, root: Path) -> None:
    """Install the set with uv where there is one, else with pip, and leave a stamp. Exits with a reason on failure."""
    wanted = root / SETS[requirements]
    count = sum(1 for line in wanted.read_text().splitlines() if "==" in line and line[:1].isalnum())
    stamp_of(requirements, home).unlink(missing_ok=True)
    say(f"Installing {count} pinned packages from {wanted.name}")
    if not (with_uv(wanted, home) or with_pip(wanted, home, count)):
        fail("The packages could not be installed. The lines above say why.")
    for name in list(SETS)[: list(SETS).index(requirements) + 1]:
        stamp_of(name, home).write_text(digest(name, home, root))


def with_uv(wanted: Path, home: Path) -> bool:
    """Install with uv; False when there is none or it failed, and pip should try."""
    uv = shutil.which("uv")
    if uv is None:
        return False
    command = [uv, "pip", "install", "--quiet", "--python", str(home / "bin" / "python"), "--require-hashes"]
    command += ["--index-strategy", "unsafe-best-match"]  # safe: every file is checked against its hash
    settings = {**index.as_uv_settings(), **os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    if subprocess.run([*command, "-r", str(wanted)], env=settings, check=False).returncode == 0:
        return True
    say("uv did not succeed; trying pip")
    return False


def with_pip(wanted: Path, home: Path, count: int) -> bool:
    """Install with the one pip wheel that is pinned above."""
    if not (environment.packages(home) / "pip").is_dir():
        unpack_pip(home)
    command = [
        str(home / "bin" / "python"),
        "-I",
        "-m",
        "pip",
        "install",
        "--require-hashes",
        "--no-deps",
        "--no-input",
    ]
    command += ["--disable-pip-version-check", "--no-color", "--only-binary=:all:", "-r", str(wanted)]
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip,
    ):
        show_progress(pip.stdout, log, count)
        if pip.wait() != 0:
            log.seek(0)
            print(log.read()[-4000:], file=sys.stderr)
    overwrite("")
    return pip.returncode == 0


def show_progress(lines: TextIO, log: TextIO, count: int) -> None:
    """Keep pip's own lines for a failure and show how far it is."""
    collected = 0
    for line in lines:
        log.write(line)
        if line.startswith("Collecting"):
            collected += 1
            overwrite(f"{collected} of {count}: {line.split()[1]}")
        elif line.startswith("Installing"):
            overwrite(f"unpacking {count} packages")


def unpack_pip(home: Path) -> None:
    """Fetch the pip wheel from the configured index, check its hash and unpack it into the environment."""
    say(f"Fetching {PIP}")
    try:
        wheel = index.fetch("pip", PIP, PIP_SHA256)
    except index.NotFetched as error:
        fail(str(error))
    with tempfile.TemporaryFile() as file:
        file.write(wheel)
        zipfile.ZipFile(file).extractall(environment.packages(home))


def stamp_of(requirements: str, home: Path) -> Path:
    """The file that remembers what was installed."""
    return home / f".installed-{requirements}"


def digest(requirements: str, home: Path, root: Path) -> str:
    """Changes with the pinned versions and with the Python they are installed for."""
    content = (root / SETS[requirements]).read_bytes() + (home / "pyvenv.cfg").read_bytes()
    return hashlib.sha256(content).hexdigest()
