"""The tenant scope: one transaction that may touch the rows of the tenants it names, and no others.

Row-level security compares each row with the settings `chimeway.tenant_id` (one tenant: all that the service does) and
`chimeway.tenant_ids` (several: an operator at the admin), which live as long as the transaction. Without them a
connection sees and writes nothing. The scope also reads the database clock, the only clock that leases and timers are
judged by (`now()` is frozen at the start of a transaction: a statement that waited for a lock must not use it).
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import connection, transaction

from tenants.sql import Parameters, Question, Rows, execute, fetch_each, pipelined

_ENTER = """
SELECT set_config('chimeway.tenant_id', %s, true), set_config('chimeway.tenant_ids', %s, true), clock_timestamp()
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a scope knows: whose rows it may touch, the database clock when it was entered, and what it was asked."""

    tenant_ids: tuple[int, ...]
    now: datetime
    answers: Sequence[Rows] = ()


_current: ContextVar[Scope | None] = ContextVar("tenant_scope", default=None)


@contextmanager
def tenant_scope(tenant_id: int, *asked: Question) -> Iterator[Scope]:
    """A transaction in which exactly one tenant's rows exist. Nested scopes join the outer transaction.

    What is asked is answered in `answers`, and sent together with what opens the scope: one trip to the server.
    """
    with scope_of([tenant_id], *asked) as scope:
        yield scope


@contextmanager
def scope_of(tenant_ids: Iterable[int], *asked: Question) -> Iterator[Scope]:
    """A transaction that sees the rows of several tenants (an operator's memberships) or, with none, of nobody."""
    wanted = tuple(sorted(set(tenant_ids)))
    outer = current_scope()
    if outer is not None and outer.tenant_ids == wanted:
        with transaction.atomic():
            yield replace(outer, answers=fetch_each(*asked)) if asked else outer
        return
    with transaction.atomic():
        scope = _enter(wanted, *asked)
        token = _current.set(scope)
        try:
            yield scope
        finally:
            _current.reset(token)
        if outer is not None:  # an error rolls the setting back with the savepoint; success must put it back by hand
            _enter(outer.tenant_ids)


def peek(tenant_id: int, statement: str, parameters: Parameters) -> Rows:
    """The rows of one statement that reads, as of now, in one trip to the server."""
    return at_once(tenant_id, (statement, parameters))[0]


def at_once(tenant_id: int, *asked: Question) -> Sequence[Rows]:
    """All rows of statements that are a transaction of their own, unless there is one, in one trip to the server.

    PostgreSQL takes what is sent up to the next sync as one transaction and commits it then, so the setting that opens
    a scope holds for these statements and ends with them.
    """
    if connection.in_atomic_block:
        with tenant_scope(tenant_id, *asked) as scope:
            return scope.answers
    return fetch_each(_opening((tenant_id,)), *asked)[1:]


@contextmanager
def with_commit() -> Iterator[None]:
    """The last statements of a transaction, sent together with its COMMIT. Inside another one they are only pipelined.

    Nothing may be asked of the database between here and the end of the scope: it would find no scope and no rows.
    """
    with pipelined():
        yield
        if current_scope() is not None and not connection.savepoint_ids and not connection.needs_rollback:
            execute("COMMIT", ())  # Django commits after it, and the driver finds nothing to commit


def current_scope() -> Scope | None:
    """The scope this code runs in, or None outside one."""
    return _current.get() if connection.in_atomic_block else None


def database_now() -> datetime:
    """The database clock, read now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]  # type: ignore[no-any-return]


def _enter(tenant_ids: tuple[int, ...], *asked: Question) -> Scope:
    [(_, _, now)], *answers = fetch_each(_opening(tenant_ids), *asked)  # together with BEGIN
    return Scope(tenant_ids, now, answers)


def _opening(tenant_ids: tuple[int, ...]) -> Question:
    one = str(tenant_ids[0]) if len(tenant_ids) == 1 else ""
    several = "{" + ",".join(map(str, tenant_ids)) + "}" if len(tenant_ids) > 1 else ""
    return _ENTER, [one, several]
