"""Writing the runs of a start: rows, traces and listeners in one trip, and the commit with them if it can go along.

A start without an idempotency key meets nobody, so everything goes out at once, under ids that were fetched before. One
with a key may meet a run, and what comes after depends on the answer.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from chimeway_py.nudges import nudge_after_commit
from signals_app.services.payloads import canonical, send_payloads
from tenants.scope import with_commit
from tenants.sql import Question, Rows, arrays, ask, execute, fetch, fetch_each, insert, pipelined
from tenants.vault import vault_of
from workflows.engine.matching import listener_keys
from workflows.errors import StartConflict
from workflows.events.record import IS_WATCHED
from workflows.retention.buried import withdraw_buried
from workflows.services.companions import companions
from workflows.services.documents import Loaded
from workflows.services.start_rows import NEW_RUN, NewRun, StartRow, first_transition, run_columns, start_row
from workflows.services.sticky_cancels import IS_STICKING, catch_cancelled, marks, sharing_starts
from workflows.states import Cause
from workflows.store import rows
from workflows.store.write import write_transitions

_GROUND = f"""
SELECT ARRAY(SELECT nextval('workflows_run_id_seq') FROM generate_series(1, %s)), {IS_STICKING}, {IS_WATCHED}
"""  # noqa: S608  our own text
# In the order of the unique key, so that two starts with the same keys wait for each other instead of deadlocking.
_RUNS = insert(
    "workflows_run",
    NEW_RUN,
    "ORDER BY u.idempotency_key, u.public_id ON CONFLICT (tenant_id, definition_key, idempotency_key) "
    "WHERE idempotency_key IS NOT NULL DO NOTHING RETURNING id",
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


@dataclass(frozen=True, slots=True)
class Ground:
    """What has to be known before runs are written: ids for them, whether cancels wait, whether anybody watches."""

    ids: Sequence[int]
    has_cancels: bool
    is_watched: bool


def asking_ground(tenant_id: int, count: int) -> list[Question]:
    """What `ground_of` makes a `Ground` for so many runs of."""
    return [sharing_starts(tenant_id), (_GROUND, [count, tenant_id, tenant_id])]


def ground_of(answers: Sequence[Rows]) -> Ground:
    """The answers to `asking_ground`, which were asked in this transaction."""
    _, [ground] = answers
    return Ground(*ground)


def insert_runs(
    tenant_id: int,
    loaded: Loaded,
    runs: Sequence[NewRun],
    now: datetime,
    *,
    ground: Ground | None = None,
    is_last: bool = False,
) -> list[Started]:
    """Write checked runs with their first transition and their listeners, inside the caller's scope.

    `is_last`: the caller does nothing after it in its scope, so that the commit may go out with it.
    """
    ground = ground or ground_of(fetch_each(*asking_ground(tenant_id, len(runs))))
    texts = [canonical(run.data) if run.data else "" for run in runs]
    commits = is_last and not (ground.has_cancels or ground.is_watched or any(texts) or _may_meet(runs))
    first: dict[Any, StartRow] = {}
    with with_commit() if commits else pipelined():
        addresses, hold_payloads = send_payloads(tenant_id=tenant_id, texts=filter(None, texts))
        vault, given = vault_of(tenant_id), zip(ground.ids, runs, texts, strict=True)
        asked = [start_row(vault, loaded, id_, run, now, addresses.get(text)) for id_, run, text in given]
        for row in asked:
            first.setdefault(row.name, row)
        mine = _insert(tenant_id, loaded, list(first.values()), now)
        then = _write(tenant_id, loaded, mine, now, is_watched=ground.is_watched)
        if mine:
            nudge_after_commit("engine", tenant_id)
    if commits:  # whoever subscribes now comes after these runs
        return _answers(asked, first, {})
    hold_payloads()
    for record in then:
        record()
    caught = _catch(tenant_id, loaded, mine) if ground.has_cancels else set()
    _store_companions(tenant_id, [row.new for row in mine], now)
    created = {row.id for row in mine}
    met = _meet(tenant_id, loaded.key, [row for row in first.values() if row.id not in created])
    answers = _answers(asked, first, met)
    return [replace(one, cancelled=True) if one.run_id in caught else one for one in answers]


def _may_meet(runs: Sequence[NewRun]) -> bool:
    """Whether something may have to be done after the runs are written."""
    return any(run.idempotency_key or run.companions for run in runs)


def _insert(tenant_id: int, loaded: Loaded, given: Sequence[StartRow], now: datetime) -> list[StartRow]:
    """Insert the runs that are new; these."""
    inserted = ask(_RUNS, [tenant_id, *arrays([run_columns(loaded, row, now) for row in given], NEW_RUN)])
    if not any(row.new.idempotency_key for row in given):
        return list(given)
    withdrawn = withdraw_buried(tenant_id, loaded.key, _keys_to_doubt(given))
    created = {id_ for (id_,) in inserted()} - withdrawn()
    return [row for row in given if row.id in created]


def _keys_to_doubt(given: Sequence[StartRow]) -> list[str]:
    """The idempotency keys of starts. A signal is routed once, and its id never comes again."""
    return [row.new.idempotency_key for row in given if row.new.idempotency_key and row.new.cause != Cause.SIGNAL]


def _write(
    tenant_id: int, loaded: Loaded, mine: Sequence[StartRow], now: datetime, *, is_watched: bool
) -> list[Callable[[], None]]:
    """Write the traces and listeners of new runs. Call what is returned: it records the events."""
    then = write_transitions(tenant_id, [first_transition(row, now) for row in mine], is_watched=is_watched)
    listeners = [
        (row.id, name, key, rows.dumps(dict(rest)), True)
        for row in mine
        for name, key, rest in listener_keys(loaded.document, row.facts)
    ]
    if listeners:
        execute(_LISTENERS, [tenant_id, *arrays(listeners, rows.LISTENER)])
    return then


def _catch(tenant_id: int, loaded: Loaded, mine: Sequence[StartRow]) -> set[int]:
    marked = {row.id: [*marks(row.new.idempotency_key, row.new.correlation)] for row in mine}
    return catch_cancelled(tenant_id, loaded.key, marked)


def _store_companions(tenant_id: int, new: Sequence[NewRun], now: datetime) -> None:
    """What came with the runs that were made. A start that met its run says nothing new."""
    for name, companion in companions().items():
        said = {run.subject: run.companions[name] for run in new if name in run.companions}
        if said:
            companion.store(tenant_id, said, now)


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
    met: Mapping[str, tuple[int, uuid.UUID, bytes]],
) -> list[Started]:
    answers, conflicts = [], []
    for index, row in enumerate(asked):
        leader = first[row.name]
        run_id, public_id, request = met.get(row.name) or (leader.id, leader.public_id, leader.request_digest)
        if request != row.request_digest:
            conflicts.append({"index": index, "idempotency_key": row.new.idempotency_key})
        answers.append(Started(run_id, public_id, created=row is leader and row.name not in met))
    if conflicts:
        raise StartConflict("A run was started before under this idempotency key with another request.", conflicts)
    return answers
