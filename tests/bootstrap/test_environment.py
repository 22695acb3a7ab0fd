"""A virtual environment made by hand is one, and is made again when it no longer works."""

import subprocess
from pathlib import Path

from bootstrap import environment, install

from tests.migrated import ROOT


def test_it_is_a_virtual_environment_of_its_own(tmp_path: Path) -> None:
    environment.make(tmp_path)
    (environment.packages(tmp_path) / "only_here.py").write_text("")

    probe = "import sys, only_here; print(sys.prefix, any('site-packages' in p for p in sys.path))"
    answer = subprocess.run([tmp_path / "bin/python", "-c", probe], capture_output=True, text=True, check=True)

    assert answer.stdout.split() == [str(tmp_path), "True"]
    assert environment.works(tmp_path / "bin/python")


def test_making_it_again_repairs_it(tmp_path: Path) -> None:
    environment.make(tmp_path)
    python = tmp_path / "bin/python"
    python.unlink()
    python.symlink_to("/nowhere/python")
    assert not environment.works(python)

    environment.make(tmp_path)

    assert environment.works(python)


def test_what_is_no_environment_does_not_work(tmp_path: Path) -> None:
    assert not environment.works(tmp_path / "bin/python")


def test_a_set_is_installed_until_its_pins_change(tmp_path: Path) -> None:
    home, root = tmp_path / "venv", tmp_path / "root"
    root.mkdir()
    environment.make(home)
    for name in install.SETS.values():
        (root / name).write_text("thing==1.0\n")
    install.stamp_of("dev", home).write_text(install.digest("dev", home, root))
    assert install.is_installed("dev", home, root)
    assert not install.is_installed("runtime", home, root)

    (root / "requirements-dev.txt").write_text("thing==1.1\n")

    assert not install.is_installed("dev", home, root)


def test_the_pip_of_the_bootstrap_is_the_pinned_one() -> None:
    pinned = (ROOT / "requirements-dev.txt").read_text()

    assert f"pip=={install.PIP.split('-')[1]} " in pinned
    assert install.PIP_SHA256 in pinned
