"""The bootstrap is not a package of the service: it lives beside the two commands."""

import sys
from pathlib import Path

import pytest

from tests.migrated import ROOT

sys.path.insert(0, str(ROOT / "bin"))


@pytest.fixture(autouse=True)
def _no_pip_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide what this machine's pip is set to."""
    for name in ("INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX", "CERT", "PROXY"):
        monkeypatch.delenv(f"PIP_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / "config"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "system"))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "named.conf"))
    monkeypatch.setattr("bootstrap.index.SYSTEM_WIDE", tmp_path / "etc-pip.conf")
