"""A virtual environment without the help of `venv` and `ensurepip`, which minimal systems do not have."""

import os
import subprocess
import sys
from pathlib import Path


def works(python: Path) -> bool:
    """Whether this environment's Python runs and is the version it was made with (its base may have been upgraded)."""
    probe = "import sys; print(sys.prefix != sys.base_prefix, *sys.version_info[:2])"
    try:
        answer = subprocess.run([str(python), "-I", "-c", probe], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return False
    in_environment, *version = answer.split()
    return in_environment == "True" and packages(python.parent.parent, tuple(map(int, version))).is_dir()


def make(home: Path) -> None:
    """Lay out `home` as a virtual environment of the running Python, replacing what made one before."""
    base = Path(getattr(sys, "_base_executable", "") or sys.executable).absolute()
    (home / "bin").mkdir(parents=True, exist_ok=True)
    packages(home).mkdir(parents=True, exist_ok=True)
    for name in ("python", "python3", "python{}.{}".format(*sys.version_info[:2])):
        relink(home / "bin" / name, base if name == "python" else Path("python"))
    if sys.maxsize > 2**32 and os.name == "posix" and sys.platform != "darwin":
        relink(home / "lib64", Path("lib"))  # some systems install compiled packages there
    version = ".".join(map(str, sys.version_info[:3]))
    (home / "pyvenv.cfg").write_text(
        f"home = {base.parent}\ninclude-system-site-packages = false\nversion = {version}\nexecutable = {base}\n"
    )


def packages(home: Path, version: "tuple[int, ...]" = sys.version_info[:2]) -> Path:
    """The folder of installed packages."""
    return home / "lib" / f"python{version[0]}.{version[1]}" / "site-packages"


def relink(link: Path, target: Path) -> None:
    """Make `link` a symbolic link to `target`, whatever it was."""
    if link.is_symlink() or link.is_file():
        link.unlink()
    if not link.exists():
        link.symlink_to(target)
