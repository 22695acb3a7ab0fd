"""`runs export` and `runs import`: whole runs as JSON lines."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from tenants.scope import tenant_scope
from workflows.history.export_file import text_of
from workflows.history.exporting import export_run
from workflows.history.import_file import exports
from workflows.history.importing import import_run
from workflows.management.arguments import public_id
from workflows.management.verbs import Verb


class ExportRuns(Verb):
    """Writes whole runs, one after the other."""

    name, help = "export", "Write runs, whole, as JSON lines."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which runs, where to, and whether with payload values."""
        parser.add_argument("runs", nargs="+", type=public_id, metavar="RUN")
        parser.add_argument("--payloads", action="store_true", help="With what it was started with and told.")
        parser.add_argument("--out", type=Path, metavar="FILE", help="Instead of standard output.")

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """The lines of the exports; with a file, they go there."""
        exported = self._exported(tenant_id, options)
        if options["out"] is None:
            yield from exported
            return
        with options["out"].open("w", encoding="utf-8") as file:
            file.writelines(exported)
        yield f"{options['out']}: {len(options['runs'])} exported"

    def _exported(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        for run in options["runs"]:
            with tenant_scope(tenant_id):  # the run stands still until its last line is written
                yield from export_run(tenant_id=tenant_id, public_id=run, payloads=options["payloads"])


class ImportRuns(Verb):
    """Brings in every run of every file, each in a transaction of its own."""

    name, help = "import", "Bring in runs that were exported."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which files, and whether runs may go on here."""
        parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="Standard input if none is named.")
        parser.add_argument("--live", action="store_true", help="Also runs that have not ended: they go on here.")
        parser.add_argument("--by", default="", metavar="NAME", help="Who brings them in.")

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """What became of each; it ends at the first that is refused."""
        for file in options["files"] or [None]:
            first = 1
            for one in exports(_read(file)):
                imported = import_run(tenant_id=tenant_id, lines=one, live=options["live"], first=first)
                first += len(one)
                what = "imported" if imported.created else "is here already"
                yield f"{imported.public_id}  {what}, {imported.transitions} transitions"


def _read(file: Path | None) -> Iterator[str]:
    """The lines of a file, or of the input. Raises `BadExport` for one that is not UTF-8, and OSError."""
    with file.open("rb") if file else nullcontext(sys.stdin.buffer) as lines:
        for number, line in enumerate(lines, 1):
            yield text_of(number, line)


FILES = (ExportRuns(), ImportRuns())
