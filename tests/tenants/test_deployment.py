"""Settings that are not safe: without secrets nothing starts, and `check --deploy` refuses what is open to others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOOD = {
    "SECRET_KEY": "ci-QkT3mGm0c2VjcmV0LWtleS1vZi1hLXRlc3QtdGhhdC1pcy1sb25nLWVub3VnaC0x",
    "PAYLOAD_KEYS": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "ALLOWED_HOSTS": "chimeway.example.org",
}
OPEN = {"SECRET_KEY": "short", "HTTPS": "0", "ALLOWED_HOSTS": ""}
COMPLAINTS = {
    "W008": "requests without TLS",
    "W009": "a key that can be guessed",
    "W012": "cookies of sessions without TLS",
    "W016": "cookies against forged forms without TLS",
    "W020": "any name of a host",
}


def checked(changed: dict[str, str]) -> tuple[int, str]:
    """The exit code of `check --deploy` under these settings, and what it said."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    ran = subprocess.run(command, cwd=ROOT, env=kept | GOOD | changed, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout + ran.stderr


@pytest.mark.parametrize("name", ["SECRET_KEY", "PAYLOAD_KEYS"])
def test_nothing_starts_without_a_secret(name: str) -> None:
    code, told = checked({name: ""})

    assert code != 0
    assert f"Set {name}" in told


def test_what_is_open_to_others_is_refused() -> None:
    """That settings as the docs tell are clean is a step of CI of its own."""
    code, told = checked(OPEN)

    assert code != 0
    assert [why for complaint, why in COMPLAINTS.items() if complaint not in told] == []
