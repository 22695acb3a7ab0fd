"""What a benchmark says: progress while it runs, a table at its end, and the same as JSON."""

import json
import math
import os
import platform
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Check:
    """Something that must hold at the end, whatever the figures are."""

    what: str
    holds: bool
    found: str = ""


@dataclass(slots=True)
class Report:
    """One benchmark: what was asked, what was seen, and whether all of it is still there."""

    benchmark: str
    options: Mapping[str, Any]
    rows: list[Row] = field(default_factory=list)  # one for each measurement, in order
    summary: list[Row] = field(default_factory=list)  # what the rows come to
    summary_title: str = "Medians"
    tables: dict[str, list[Row]] = field(default_factory=dict)  # what else is told, by title
    limits: dict[str, Any] = field(default_factory=dict)  # of the machine, measured beside
    checks: list[Check] = field(default_factory=list)
    statements: list[Row] = field(default_factory=list)  # what cost PostgreSQL most
    machine: dict[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether nothing was lost. A report without a check proves nothing."""
        return bool(self.checks) and all(check.holds for check in self.checks)

    def text(self) -> str:
        """The tables, for a person."""
        parts = [table(self.rows)]
        if self.summary and (len(self.summary) < len(self.rows) or self.summary_title != "Medians"):
            parts += [self.summary_title, table(self.summary)]
        for title, rows in self.tables.items():
            parts += [title, *_broad(rows)]
        if self.limits:
            parts += ["The machine's own limits in the same run", table([self.limits])]
        parts += ["Statements", *map(_statement, self.statements)] if self.statements else []
        parts += ["Checks", *(f"  {'ok    ' if one.holds else 'FAILED'} {one.what} {one.found}" for one in self.checks)]
        return "\n".join(["", *parts, ""])

    def write(self, path: Path) -> None:
        """The same as JSON, with what the machine is."""
        path.write_text(json.dumps({**asdict(self), "holds": self.holds}, indent=1, default=str) + "\n")


def say(text: str) -> None:
    """One line of progress, at once; on standard error, so that the result stands alone."""
    print(f"· {text}", file=sys.stderr, flush=True)


def table(rows: Sequence[Row]) -> str:
    """Rows side by side where they fit, else one figure a line with a column for each row."""
    flat = [flattened(row) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    lines = [[name.replace("_", " "), *(shown(row.get(name)) for row in flat)] for name in names]
    widths = [max(len(line[column]) for line in lines) for column in range(len(flat) + 1)] if lines else []
    return "\n".join(
        "  "
        + line[0].ljust(widths[0])
        + "".join(text.rjust(width + 2) for text, width in zip(line[1:], widths[1:], strict=True))
        for line in lines
    )


def flattened(row: Row) -> dict[str, Any]:
    """Figures inside of figures by both names: cpu_ms of workers is "cpu_ms_workers"."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}_{inner}": figure for inner, figure in flattened(value).items()}
        else:
            flat[name] = value
    return flat


def shown(value: Any) -> str:
    """A figure as a person reads it."""
    if value is None:
        return "-"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


def _broad(rows: Sequence[Row]) -> list[str]:
    """One line for each row: for more rows than fit side by side."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [[name.replace("_", " ") for name in names], *([shown(row.get(name)) for name in names] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  "
        + line[0].ljust(widths[0])
        + "".join(text.rjust(width + 2) for text, width in zip(line[1:], widths[1:], strict=True))
        for line in lines
    ]


def _statement(row: Row) -> str:
    figures = ", ".join(f"{name.replace('_', ' ')} {shown(row[name])}" for name in row if name != "statement")
    return f"  {figures}\n      {row['statement']}"


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all is not above."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)] if ordered else float("nan")


def medians(rows: Sequence[Row], *, by: str) -> list[Row]:
    """One row for each value of `by`: the median of every figure over its rounds."""
    groups: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[by], []).append(flattened(row))
    return [{by: value, "rounds": len(found), **_median(found, by)} for value, found in groups.items()]


def _median(rows: Sequence[Mapping[str, Any]], by: str) -> dict[str, Any]:
    names = [name for name, value in rows[0].items() if isinstance(value, int | float) and name not in (by, "round")]
    return {name: _rounded(statistics.median(row[name] for row in rows if row.get(name) is not None)) for name in names}


def _rounded(value: float) -> float:
    return value if isinstance(value, int) else round(value, 3)


def machine(folder: Path) -> dict[str, Any]:
    """What was measured on: figures of two machines are not to be compared."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
        "file_system": _file_system(folder.resolve()),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _file_system(folder: Path) -> str:
    """Its type: on tmpfs a sync costs nothing, and the figures mean nothing."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    fitting = [(len(at), kind) for at, kind in mounts if folder.is_relative_to(at)]
    return max(fitting)[1] if fitting else "unknown"
