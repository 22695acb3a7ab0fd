"""Rebuilding many runs and holding each against what is stored, in memory that does not grow with their number."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

from tenants.scope import tenant_scope
from tenants.sql import execute, fetch, stream
from workflows.errors import RunNotFound
from workflows.history.reading import LINE_COLUMNS, RUN_COLUMNS
from workflows.history.rebuild import Rebuilt
from workflows.inspection import Inspection, StoredRun, TraceLine
from workflows.standing import STANDING, STANDS_IN, Standing

RUNS = 200  # in one statement and one transaction, so that no snapshot of the database is held for long
_RUN = RUN_COLUMNS.split(", ")
_LINE = LINE_COLUMNS.split(", ")

_IDS = f"""
SELECT id FROM workflows_run WHERE tenant_id = %(tenant)s AND id > %(after)s
   AND (%(run)s::uuid IS NULL OR public_id = %(run)s) AND (%(state)s::text IS NULL OR state = %(state)s)
   AND (%(workflow)s::text IS NULL OR definition_key = %(workflow)s) ORDER BY id LIMIT {RUNS}
"""  # noqa: S608
# One statement sees runs and traces at one moment: the engine may go on meanwhile.
_TRACES = f"""
SELECT r.id, {", ".join(f"r.{name}" for name in _RUN)}, {", ".join(f"t.{name}" for name in _LINE)}, {STANDING}
  FROM workflows_run r {STANDS_IN} LEFT JOIN workflows_transition t ON t.tenant_id = r.tenant_id AND t.run_id = r.id
 WHERE r.tenant_id = %s AND r.id = ANY(%s) ORDER BY r.id, t.seq
"""  # noqa: S608
_SNAPSHOTS = "SELECT run_id, seq, state FROM workflows_snapshot WHERE tenant_id = %s AND run_id = ANY(%s)"
_DROP = """
DELETE FROM workflows_snapshot WHERE tenant_id = %s AND seq = ANY(%s)
   AND run_id = (SELECT id FROM workflows_run WHERE tenant_id = %s AND public_id = %s)
"""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which runs: all that meet every member that is given."""

    run: uuid.UUID | None = None
    workflow: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """One run whose stored state, trace or snapshots are not as they should be. `bad_snapshots` are their `seq`s."""

    rebuilt: Rebuilt
    bad_snapshots: tuple[int, ...]


Progress = Callable[[int, int], None]
States = Mapping[int, Mapping[int, Mapping[str, Any]]]


def check_runs(
    *, tenant_id: int, which: Selection | None = None, progress: Progress | None = None
) -> Iterator[Checked]:
    """The runs that rebuilding from the first line shows to be wrong. Nothing means: all are as they should be.

    After each batch `progress(runs, transitions)` is told the totals. Raises `RunNotFound` for a single run.
    """
    which = which or Selection()
    after = runs = lines = 0
    while True:
        found = _Batch(tenant_id, after, which)
        yield from found.wrong
        runs, lines = runs + found.runs, lines + found.lines
        if progress is not None:
            progress(runs, lines)
        if found.runs < RUNS:
            break
        after = found.last_id
    if which.run is not None and not runs:
        raise RunNotFound("No such run.")


def drop_snapshots(*, tenant_id: int, public_id: uuid.UUID, seqs: tuple[int, ...]) -> int:
    """Forget these snapshots of a run; how many there were."""
    with tenant_scope(tenant_id):
        return execute(_DROP, [tenant_id, list(seqs), tenant_id, public_id])


class _Batch:
    """The next runs, read in one transaction that has ended when they are told."""

    def __init__(self, tenant_id: int, after: int, which: Selection) -> None:
        self.tenant_id, self.last_id = tenant_id, after
        self.runs = self.lines = 0
        self.wrong: list[Checked] = []
        with tenant_scope(tenant_id):
            ids = [row[0] for row in fetch(_IDS, asdict(which) | {"tenant": tenant_id, "after": after})]
            if not ids:
                return
            snapshots = _snapshots(tenant_id, ids)
            for run_id, own in groupby(stream(_TRACES, [tenant_id, ids]), key=itemgetter(0)):
                self._check(own, snapshots.get(run_id, {}))
            self.runs, self.last_id = len(ids), ids[-1]

    def _check(self, rows: Iterator[tuple[Any, ...]], snapshots: Mapping[int, Mapping[str, Any]]) -> None:
        first, bad, width, lines = next(rows), set(snapshots), len(_RUN) + 1, 0
        end = width + len(_LINE)
        stored = StoredRun(*first[1:width], standing=Standing(*first[end:]))
        inspection = Inspection(self.tenant_id, stored)
        for row in chain([first], rows):
            if row[width] is not None:
                inspection.take(TraceLine(*row[width:end]))
                lines += 1
                if inspection.folded.seq in bad and snapshots[inspection.folded.seq] == asdict(inspection.folded):
                    bad.discard(inspection.folded.seq)
        self.lines += lines
        rebuilt = Rebuilt(stored.public_id, inspection.folded, tuple(inspection.finish()), lines, 0)
        if rebuilt.faults or bad:
            self.wrong.append(Checked(rebuilt, tuple(sorted(bad))))


def _snapshots(tenant_id: int, run_ids: Sequence[int]) -> States:
    found: dict[int, dict[int, Mapping[str, Any]]] = {}
    for run_id, seq, state in fetch(_SNAPSHOTS, [tenant_id, run_ids]):
        found.setdefault(run_id, {})[seq] = state
    return found
