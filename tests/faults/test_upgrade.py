"""The upgrade under load of `bin/prove --upgrade`: what it starts from, and what it says where it cannot be tried."""

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.checker import Verdict
from tests.faults.history import NoHistory, check_out, commit_before_last_migration
from tests.faults.report import Report
from tests.faults.upgrade import Upgraded, plan_of

Commit = Callable[[Mapping[str, str]], str]
ONE, TWO = "workflows/migrations/0001_one.py", "workflows/migrations/0002_two.py"
REPORT = Report("s", 0, {}, {}, {}, [], [], Verdict(), [], 0.0, 0.0)


def git(root: Path, *words: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *who, "-C", str(root), *words], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def commit(tmp_path: Path) -> Commit:
    """`commit(files)` makes these the whole content of a repository; the id of the commit."""
    git(tmp_path, "init", "-q")

    def make(files: Mapping[str, str]) -> str:
        git(tmp_path, "rm", "-rqf", "--ignore-unmatch", ".")
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
        return git(tmp_path, "rev-parse", "HEAD").strip()

    return make


def test_it_starts_from_the_newest_code_that_lacks_a_migration(commit: Commit, tmp_path: Path) -> None:
    commit({ONE: "1"})
    before = commit({ONE: "1", "code.py": "old"})
    commit({ONE: "1", TWO: "2", "code.py": "old"})
    commit({ONE: "1", TWO: "2", "code.py": "new"})

    assert commit_before_last_migration(tmp_path) == before
    old = check_out(before, tmp_path / "old", tmp_path)
    assert ((old / "code.py").read_text(), (old / TWO).exists()) == ("old", False)
    assert (tmp_path / "code.py").read_text() == "new"


def test_code_that_knows_another_history_of_the_schema_is_passed_over(commit: Commit, tmp_path: Path) -> None:
    """A migration that was written anew, and two of one number: a database of such code cannot be brought on."""
    before = commit({ONE: "1"})
    commit({ONE: "1", TWO: "draft"})
    commit({ONE: "1", TWO: "2", TWO.replace("two", "other"): "3"})
    commit({ONE: "1", TWO: "2", "workflows/migrations/0003_other.py": "3"})

    assert commit_before_last_migration(tmp_path) == before


def test_without_a_history_it_says_why(commit: Commit, tmp_path: Path) -> None:
    with pytest.raises(NoHistory, match="git"):
        commit_before_last_migration(tmp_path / "nowhere")
    commit({ONE: "1", TWO: "2"})
    with pytest.raises(NoHistory, match="no commit from before"):
        commit_before_last_migration(tmp_path)

    told = list(Upgraded(why_not="no git").put_into(REPORT).lines())

    assert told.index("Not verified") < told.index(
        "  in this run: an upgrade with old and new code side by side: no git"
    )


def test_what_it_finds_is_found_by_the_run_that_it_belongs_to() -> None:
    own = replace(REPORT, verdict=Verdict(violations=["old and new code did not work at the same time"]))
    whole = replace(REPORT, verdict=Verdict())

    told = Upgraded(own, ["2 migrations under load"]).put_into(whole)

    assert not told.verdict.held
    assert told.verdict.violations == ["upgrade: old and new code did not work at the same time"]
    assert "  2 migrations under load" in told.lines()


def test_a_seed_is_a_plan() -> None:
    assert str(plan_of("one")) == str(plan_of("one")) != str(plan_of("two"))
