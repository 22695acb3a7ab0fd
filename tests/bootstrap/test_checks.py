"""What CI asks besides the tests: known weaknesses of dependencies, and secrets in the source."""

import datetime
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.docs.pages import ROOT

TODAY = datetime.date(2026, 1, 31)


def script(name: str) -> ModuleType:
    """A program of `.ci`, loaded."""
    spec = spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def package(name: str, *weaknesses: str) -> dict[str, Any]:
    vulns = [{"id": one, "aliases": [f"CVE-{one}"], "fix_versions": ["2.0"]} for one in weaknesses]
    return {"name": name, "version": "1.0", "vulns": vulns}


UNKNOWN = {"name": "odd", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "ignoring", "code", "told"),
    [
        (None, {}, 0, "NOT RUN"),
        ([UNKNOWN, UNKNOWN], {}, 0, "NOT RUN"),
        ([package("a")], {}, 0, "1 packages checked, 0 weaknesses"),
        ([package("a"), UNKNOWN], {}, 0, "NOT CHECKED, unknown to the database: odd"),
        ([package("a", "G-1")], {}, 1, "a 1.0: G-1, mended in 2.0"),
        ([package("a", "G-1")], {"CVE-G-1": "never called"}, 0, "ignored: never called"),
        ([package("a", "G-1", "G-2")], {"G-1": "never called"}, 1, "1 weaknesses that count"),
    ],
)
def test_a_weakness_fails_unless_somebody_said_why_not(packages: Any, ignoring: Any, code: int, told: str) -> None:
    judged = script("advisories").judged(packages, ignoring)

    assert judged[0] == code
    assert told in "\n".join(judged[1])


def test_what_is_ignored_is_looked_at_again() -> None:
    lines = ["# a comment", "", "G-1 2026-02-01 it is never called", "G-2 2026-01-31 it was never called"]

    assert script("advisories").ignored(lines, TODAY) == {"G-1": "it is never called"}
    with pytest.raises(ValueError, match="not enough values"):
        script("advisories").ignored(["G-1 2026-02-01"], TODAY)
    script("advisories").ignored((ROOT / ".ci" / "advisories-ignored").read_text().splitlines(), TODAY)


def test_a_secret_in_the_source_is_found_and_what_was_looked_at_is_not(tmp_path: Path) -> None:
    finder = script("find_secrets")
    (tmp_path / "settings.py").write_text('AWS = "AKIA' + "IOSFODNN7EXAMPLX" + '"\nplain = 1\n')

    [(name, kind, _)] = found = finder.found_in(["settings.py"], tmp_path)

    assert (name, kind) == ("settings.py", "AWS Access Key")
    assert not found.keys() & finder.accepted()
    assert len(finder.accepted()) > 20
