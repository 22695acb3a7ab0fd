"""Every command that a page shows exists, with every option that it is given."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from benchmarks.__main__ import NAMES, parse
from chimeway_py.demo import commands as demo_commands
from tests.docs.codes import OURS, settings_of
from tests.docs.pages import ROOT, Block, all_blocks, page

UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))


def _shown() -> list[tuple[Block, list[str]]]:
    """The commands after the prompts of all pages, as words, without the variables set before them and comments."""
    found = []
    for block in all_blocks("console"):
        for line in block.text.splitlines():
            if line.startswith("$ "):
                words = shlex.split(line.removeprefix("$ "), comments=True)
                while re.match(r"[A-Z_]+=", words[0]):
                    words = words[1:]
                found.append((block, words))
    return found


SHOWN = _shown()
MANAGED = [(block, words[2:]) for block, words in SHOWN if words[:2] == ["python", "manage.py"]]
MANAGED += [(block, words[1:]) for block, words in SHOWN if words[0] == "bin/manage"]


@pytest.mark.parametrize("words", [words for _, words in MANAGED], ids=" ".join)
def test_a_management_command_understands_what_is_shown(words: list[str]) -> None:
    name, *arguments = words
    command = load_command_class(get_commands()[name], name)  # type: ignore[arg-type]
    sample = "01939f3a-7c1e-7b1a-9d5e-0b6a3c2f4d10"
    arguments = [sample if word in ("RUN", "SIGNAL", "KEY_ID", "CANCEL", "BROADCAST") else word for word in arguments]

    command.create_parser("manage.py", name).parse_args(arguments)  # ends the process when it does not understand


def test_every_command_of_ours_is_shown_somewhere() -> None:
    ours = {name for name, app in get_commands().items() if str(app).split(".")[0] in OURS}

    assert ours == {words[0] for _, words in MANAGED} & ours


@pytest.mark.parametrize("words", [words for _, words in SHOWN if words[0] == "bin/bench"], ids=" ".join)
def test_a_benchmark_understands_what_is_shown(words: list[str]) -> None:
    parse(words[1:])  # ends the process when it does not understand


def test_every_benchmark_is_shown_somewhere() -> None:
    assert {words[1] for _, words in SHOWN if words[0] == "bin/bench"} == set(NAMES)


def test_the_commands_of_the_readme_exist() -> None:
    shown = [words[0] for block, words in SHOWN if block.page == ROOT / "README.md"]

    assert list(dict.fromkeys(shown)) == ["bin/demo", "bin/test", "bin/prove", "bin/manage"]
    assert all((ROOT / program).exists() for program in shown)


def test_every_other_program_that_is_shown_is_known() -> None:
    programs = {Path(words[0]).name for _, words in SHOWN}

    ours, shells = {"demo", "test", "prove", "manage", "bench"}, {"export"}
    assert programs <= ours | shells | {"python", "python3", "pip", "createdb", "psql", "gunicorn", "celery"}


def _processes() -> list[list[str]]:
    own = [["manage.py", *words] for _, words in MANAGED if words[0] == "sweeper"]
    return own + [words for _, words in SHOWN if words[0] in ("gunicorn", "celery")]


def _units() -> list[list[str]]:
    lines = [line for unit in UNITS for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]
    found = [shlex.split(line.removeprefix("ExecStart=").replace("%%", "%")) for line in lines]
    return [words[1:] if "manage.py" in words else [Path(words[0]).name, *words[1:]] for words in found]


def test_there_is_a_unit_for_every_process() -> None:
    assert sorted(map(_kind, _units())) == sorted(map(_kind, _processes()))


def test_the_demo_starts_the_processes_that_the_page_shows() -> None:
    shown = {_kind(words) for words in _processes()}

    started = {_kind(_bare(child.command)) for child in demo_commands.service({}, Path("logs"), 8000)}
    assert started <= shown


def _kind(words: list[str]) -> str:
    """What makes two command lines the same process: the program, and for workers their queues."""
    queues = words[words.index("-Q") + 1] if "-Q" in words else ""
    which = next((word for word in words if word in ("worker", "beat", "sweeper")), "")
    return f"{words[0]} {which} {queues}".strip()


def _bare(command: list[str]) -> list[str]:
    """The words of a child of the demo, which starts modules with its own Python."""
    words = [str(word) for word in command]
    return words[2:] if words[1] == "-m" else words[1:]


@pytest.mark.parametrize("words", [*_processes(), *_units()], ids=" ".join)
def test_a_process_understands_its_options(words: list[str]) -> None:
    options = [word.split("=")[0] for word in words[1:] if re.match(r"--?[a-zA-Z]", word)]
    helped = subprocess.run(_help_of(words), capture_output=True, text=True, check=True, cwd=ROOT)

    known = set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", helped.stdout))
    assert [option for option in options if option not in known | {"-A"}] == []


def _help_of(words: list[str]) -> list[str]:
    match words[0]:
        case "gunicorn":
            return [sys.executable, "-m", "gunicorn", "--help"]
        case "celery":
            return [sys.executable, "-m", *words[:4], "--help"]
    return [sys.executable, *words, "--help"]


@pytest.mark.parametrize("lines", [_processes(), _units()], ids=["page", "units"])
def test_together_the_workers_take_every_queue(lines: list[list[str]]) -> None:
    from django.conf import settings

    taken = [queue for words in lines if "-Q" in words for queue in words[words.index("-Q") + 1].split(",")]

    assert sorted(taken) == sorted({route["queue"] for route in settings.CELERY_TASK_ROUTES.values()})


def test_the_deploy_page_leads_to_the_units() -> None:
    linked = set(re.findall(r"systemd/([\w-]+\.service)", page("deploy.md").read_text()))

    assert linked == {unit.name for unit in UNITS}


def test_variables_in_commands_are_settings() -> None:
    lines = [line for block in all_blocks("console") for line in block.text.splitlines()]
    named = {name for line in lines for name in re.findall(r"^\$ ([A-Z_]+)=", line)}

    assert named
    assert named <= set(settings_of())
