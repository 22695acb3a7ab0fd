"""Starting runs: created `pending` in one transaction, advanced by the engine in a later one.

The first advance looks back for signals. It comes after this commit, so a signal that was routed before the commit is
seen by the look-back, and one that is routed after it finds the run's listeners: write, commit, then look, on both
sides.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from signals_app.services.payloads import canonical
from tenants.limits.board import limits_of
from tenants.limits.kinds import LimitKind
from tenants.limits.taking import take
from tenants.scope import tenant_scope
from workflows.services.start_checks import asking_startable, check_starts, startable
from workflows.services.start_insert import Started, asking_ground, ground_of, insert_runs
from workflows.services.start_rows import NewRun

__all__ = ["NewRun", "OnDuplicate", "Started", "start_runs"]

PER_START = (LimitKind.STARTS_PER_MINUTE, LimitKind.LIVE_RUNS)  # each start takes one of these
OnDuplicate = Literal["return", "skip"]


def start_runs(
    *,
    tenant_id: int,
    definition_key: str,
    runs: Sequence[NewRun],
    version: int | None = None,
    on_duplicate: OnDuplicate = "return",
) -> list[Started]:
    """Start runs of a published definition, all or none; an answer for each in order. Joins the caller's transaction.

    The same idempotency key with the same request answers with the run it started; with `skip` it says that this start
    was skipped, so that nobody takes the run for a new one. A run that a sticky cancel waited for is cancelled as it is
    made. Raises `DefinitionNotFound`, `Invalid` (paths start with the index of the run), `StartConflict`, and
    `LimitReached` or `BeyondLimit` when the tenant's limits do not allow it.
    """
    which, ground = asking_startable(tenant_id, definition_key, version), asking_ground(tenant_id, len(runs))
    with tenant_scope(tenant_id, which, *ground) as scope:
        loaded = startable(tenant_id, definition_key, version, scope.answers[0])
        checked = check_starts(loaded, runs)
        if limits_of(tenant_id):
            _take(tenant_id, checked)
        known = ground_of(scope.answers[1:])
        started = insert_runs(tenant_id, loaded, checked, scope.now, ground=known, is_last=True)
    if on_duplicate == "skip":
        return [one if one.created else replace(one, skipped=True) for one in started]
    return started


def _take(tenant_id: int, runs: Sequence[NewRun]) -> None:
    size = sum(len(canonical(run.data).encode()) for run in runs if run.data)
    take(tenant_id, dict.fromkeys(PER_START, len(runs)) | {LimitKind.PAYLOAD_BYTES_PER_DAY: size})
