"""Starting runs: created `pending` in one transaction, advanced by the engine in a later one.

The first advance looks back for signals. It comes after this commit, so a signal that was routed before the commit is
seen by the look-back, and one that is routed after it finds the run's listeners: write, commit, then look, on both
sides.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from chimeway_py.nudges import nudge_after_commit
from signals_app.services.payloads import canonical, send_payloads
from tenants.limits.board import limits_of
from tenants.limits.kinds import LimitKind
from tenants.limits.taking import take
from tenants.scope import tenant_scope
from tenants.vault import vault_of
from workflows.engine.matching import listener_keys
from workflows.errors import StartConflict
from workflows.retention.buried import withdraw_buried
from workflows.services.companions import companions
from workflows.services.documents import Loaded
from workflows.services.start_checks import asking_startable, check_starts, startable
from workflows.services.start_rows import NEW_RUN, NewRun, StartRow, first_transition, run_columns, start_row
from workflows.services.sticky_cancels import catch_cancelled, marks
from workflows.states import Cause
from workflows.store import rows
from workflows.store.sql import arrays, execute, fetch, insert, pipelined
from workflows.store.write import write_transitions

__all__ = ["NewRun", "OnDuplicate", "Started", "insert_runs", "start_runs"]

PER_START = (LimitKind.STARTS_PER_MINUTE, LimitKind.LIVE_RUNS)  # each start takes one of these
OnDuplicate = Literal["return", "skip"]
# In the order of the unique key, so that two starts with the same keys wait for each other instead of deadlocking.
_RUNS = insert(
    "workflows_run",
    NEW_RUN,
    "ORDER BY u.idempotency_key, u.public_id ON CONFLICT (tenant_id, definition_key, idempotency_key) "
    "WHERE idempotency_key IS NOT NULL DO NOTHING RETURNING id, public_id",
)
_LISTENERS = insert("workflows_listener", rows.LISTENER)
# A run that was pruned is met by its tombstone: the start is answered as before, with a run that is no more (id 0).
_MET = """
SELECT t.idempotency_key, 0, t.run_public_id, t.request_digest FROM workflows_tombstone t
 WHERE t.tenant_id = %s AND t.definition_key = %s AND t.idempotency_key = ANY(%s)
UNION ALL
SELECT r.idempotency_key, r.id, r.public_id, r.request_digest FROM workflows_run r
 WHERE r.tenant_id = %s AND r.definition_key = %s AND r.idempotency_key = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Started:
    """One answer to a start: the run, and whether this call made it.

    `skipped`: an earlier call made it, and this one asked to be told so. `cancelled`: a cancel was waiting for it.
    """

    run_id: int
    public_id: uuid.UUID
    created: bool
    skipped: bool = False
    cancelled: bool = False


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
    with tenant_scope(tenant_id, *asking_startable(tenant_id, definition_key, version)) as scope:
        loaded = startable(tenant_id, definition_key, version, scope.answers)
        checked = check_starts(loaded, runs)
        if limits_of(tenant_id):
            _take(tenant_id, checked)
        started = insert_runs(tenant_id, loaded, checked, scope.now)
    if on_duplicate == "skip":
        return [one if one.created else replace(one, skipped=True) for one in started]
    return started


def _take(tenant_id: int, runs: Sequence[NewRun]) -> None:
    size = sum(len(canonical(run.data).encode()) for run in runs if run.data)
    take(tenant_id, dict.fromkeys(PER_START, len(runs)) | {LimitKind.PAYLOAD_BYTES_PER_DAY: size})


def insert_runs(tenant_id: int, loaded: Loaded, runs: Sequence[NewRun], now: datetime) -> list[Started]:
    """Write checked runs with their first transition and their listeners, inside the caller's scope."""
    texts = [canonical(run.data) if run.data else "" for run in runs]
    vault = vault_of(tenant_id)
    first: dict[Any, StartRow] = {}
    with pipelined():
        addresses, hold_payloads = send_payloads(tenant_id=tenant_id, texts=filter(None, texts))
        asked = [start_row(vault, loaded, run, now, addresses.get(text)) for run, text in zip(runs, texts, strict=True)]
        for row in asked:
            first.setdefault(row.name, row)
        created = _insert(tenant_id, loaded, list(first.values()), now)
    hold_payloads()
    mine = [row for row in first.values() if row.public_id in created]
    marked = {created[row.public_id]: [*marks(row.new.idempotency_key, row.new.correlation)] for row in mine}
    with pipelined():
        tell = _write(tenant_id, loaded, [(created[row.public_id], row) for row in mine], now)
        catch = catch_cancelled(tenant_id, loaded.key, marked)
    tell()
    caught = catch()
    if created:
        nudge_after_commit("engine", tenant_id)
        _store_companions(tenant_id, [row.new for row in mine], now)
    met = _meet(tenant_id, loaded.key, [row for row in first.values() if row.public_id not in created])
    answers = _answers(asked, first, created, met)
    return [replace(one, cancelled=True) if one.run_id in caught else one for one in answers]


def _store_companions(tenant_id: int, new: Sequence[NewRun], now: datetime) -> None:
    """What came with the runs that were made. A start that met its run says nothing new."""
    for name, companion in companions().items():
        said = {run.subject: run.companions[name] for run in new if name in run.companions}
        if said:
            companion.store(tenant_id, said, now)


def _insert(tenant_id: int, loaded: Loaded, given: Sequence[StartRow], now: datetime) -> dict[uuid.UUID, int]:
    """Insert the runs that are new; their ids by public id."""
    found = fetch(_RUNS, [tenant_id, *arrays([run_columns(loaded, row, now) for row in given], NEW_RUN)])
    created = {public_id: run_id for run_id, public_id in found}
    for public_id in withdraw_buried(tenant_id, loaded.key, _keys_to_doubt(given, created)):
        del created[public_id]
    return created


def _write(tenant_id: int, loaded: Loaded, mine: Sequence[tuple[int, StartRow]], now: datetime) -> Callable[[], None]:
    """Write the traces and listeners of new runs. Call what is returned: it records the events."""
    tell = write_transitions(tenant_id, [first_transition(run_id, row, now) for run_id, row in mine])
    listeners = [
        (run_id, name, key, rows.dumps(dict(rest)), True)
        for run_id, row in mine
        for name, key, rest in listener_keys(loaded.document, row.facts)
    ]
    if listeners:
        execute(_LISTENERS, [tenant_id, *arrays(listeners, rows.LISTENER)])
    return tell


def _keys_to_doubt(given: Sequence[StartRow], created: Mapping[uuid.UUID, int]) -> list[str]:
    """The idempotency keys of new runs. A signal is routed once, and its id never comes again."""
    new = [row.new for row in given if row.public_id in created and row.new.cause != Cause.SIGNAL]
    return [run.idempotency_key for run in new if run.idempotency_key]


def _meet(tenant_id: int, definition_key: str, known: Sequence[StartRow]) -> dict[str, tuple[int, uuid.UUID, bytes]]:
    """The runs that were started before under these idempotency keys."""
    if not known:
        return {}
    asked = [tenant_id, definition_key, [row.new.idempotency_key for row in known]]
    found = fetch(_MET, [*asked, *asked])
    return {key: (run_id, public_id, bytes(request)) for key, run_id, public_id, request in found}


def _answers(
    asked: Sequence[StartRow],
    first: Mapping[Any, StartRow],
    created: Mapping[uuid.UUID, int],
    met: Mapping[str, tuple[int, uuid.UUID, bytes]],
) -> list[Started]:
    answers, conflicts, told = [], [], set()
    for index, row in enumerate(asked):
        leader = first[row.name]
        if leader.public_id in created:
            known = created[leader.public_id], leader.public_id, leader.request_digest
        else:
            known = met[row.name]
        if known[2] != row.request_digest:
            conflicts.append({"index": index, "idempotency_key": row.new.idempotency_key})
        answers.append(Started(known[0], known[1], created=known[1] in created and known[1] not in told))
        told.add(known[1])
    if conflicts:
        raise StartConflict("A run was started before under this idempotency key with another request.", conflicts)
    return answers
