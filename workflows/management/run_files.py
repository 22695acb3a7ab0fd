"""The verbs of `manage.py runs` that read and write files: export a run, import it."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import OutputWrapper

from tenants.scope import tenant_scope
from workflows.history.exporting import export_run
from workflows.history.importing import import_run
from workflows.management.arguments import public_id


def add_file_verbs(verbs: Any) -> None:
    """Add `export` and `import` to the verbs of a command."""
    exported: ArgumentParser = verbs.add_parser("export", help="Write a run, whole, as JSON lines.")
    exported.add_argument("runs", nargs="+", type=public_id, metavar="RUN")
    exported.add_argument("--payloads", action="store_true", help="With what it was started with and told.")
    exported.add_argument("--out", type=Path, metavar="FILE", help="Instead of standard output.")
    imported: ArgumentParser = verbs.add_parser("import", help="Bring in runs that were exported.")
    imported.add_argument("files", nargs="*", type=Path, metavar="FILE", help="Standard input if none is named.")
    imported.add_argument("--live", action="store_true", help="Also runs that have not ended: they go on here.")


def export_runs(tenant_id: int, options: dict[str, Any], stdout: OutputWrapper) -> None:
    """Write the runs one after the other. Raises `RunNotFound`."""
    file = options["out"].open("w", encoding="utf-8") if options["out"] else stdout
    try:
        for run in options["runs"]:
            with tenant_scope(tenant_id):  # the run stands still until its last line is written
                for line in export_run(tenant_id=tenant_id, public_id=run, payloads=options["payloads"]):
                    file.write(line)
    finally:
        if options["out"]:
            file.close()


def import_runs(tenant_id: int, options: dict[str, Any], stdout: OutputWrapper) -> None:
    """Bring in every run of every file, each in a transaction of its own. Raises at the first that is refused."""
    for lines in _exports(_lines(options["files"])):
        imported = import_run(tenant_id=tenant_id, lines=lines, live=options["live"])
        what = "imported" if imported.created else "is here already"
        stdout.write(f"{imported.public_id}  {what}, {imported.transitions} transitions")


def _lines(files: list[Path]) -> Iterator[str]:
    for file in files:
        with file.open(encoding="utf-8") as text:
            yield from text
    if not files:
        yield from sys.stdin


def _exports(lines: Iterator[str]) -> Iterator[list[str]]:
    """The lines of one run after the other; what follows the last end is an export without one."""
    one: list[str] = []
    for line in lines:
        one.append(line)
        if line.startswith('{"kind":"end"'):
            yield one
            one = []
    if one:
        yield one


FILE_VERBS = {"export": export_runs, "import": import_runs}
