"""A database in memory, as far as the service relies on PostgreSQL: READ COMMITTED, row locks, unique keys, rollback.

One step of an actor is one statement, or several that nobody can tell apart because a lock is held around them. A
statement sees what is committed when it runs, and what its own transaction wrote. Every value is made of tuples, texts
and numbers, so that a whole world can be hashed.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.explorer.guards import Guard, Guards

MIDNIGHT = datetime.fromisoformat("2030-01-01T00:00:00+00:00")
Key = tuple[str, Hashable]  # table and id


class Blocked(Exception):
    """The statement waits for the lock of another transaction, and will be tried again."""


class Refused(Exception):
    """A unique key refuses the statement; its transaction is rolled back."""


_known: dict[Any, Any] = {}


def one(value: Any) -> Any:
    """The one object for equal values, so that worlds are compared by identity: rows are hashed once, when written."""
    return _known.setdefault((type(value), value), value)


@dataclass(slots=True)
class World:
    """Everything that a schedule can depend on."""

    rows: dict[Key, Any] = field(default_factory=dict)  # committed
    writes: dict[tuple[str, Key], Any] = field(default_factory=dict)  # by actor, not committed
    locks: dict[Key, str] = field(default_factory=dict)
    kept: dict[tuple[str, str], Any] = field(default_factory=dict)  # what an actor remembers between its steps
    at: dict[str, int] = field(default_factory=dict)  # the next step of each actor
    minute: int = 0
    deaths: int = 0

    def copy(self) -> "World":
        """A world of its own to go on in."""
        parts = self.rows.copy(), self.writes.copy(), self.locks.copy(), self.kept.copy(), self.at.copy()
        return World(*parts, self.minute, self.deaths)

    def key(self) -> Hashable:
        """Equal for worlds from which the same can follow."""
        values = (
            frozenset((key, id(row)) for key, row in part.items()) for part in (self.rows, self.writes, self.kept)
        )
        return (*values, frozenset(self.locks.items()), frozenset(self.at.items()), self.minute, self.deaths)

    def table(self, name: str) -> list[Any]:
        """The committed rows of a table, in order of their ids."""
        return [self.rows[key] for key in sorted(key for key in self.rows if key[0] == name)]

    def now(self) -> datetime:
        """The clock of the database."""
        return MIDNIGHT + timedelta(minutes=self.minute)


class Turn:
    """One step of one actor."""

    def __init__(self, world: World, actor: str, without: Guards) -> None:
        self.world, self.actor, self.without = world, actor, without
        self.stays = self.is_over = False
        self.said = ""  # what the step did, for a schedule that people read

    def lacks(self, guard: Guard) -> bool:
        """Whether a guard was taken out."""
        return guard in self.without

    # -- statements

    def get(self, table: str, id_: Hashable) -> Any:
        """A row as this transaction sees it, or None."""
        own = self.world.writes.get((self.actor, (table, id_)))
        return own if own is not None else self.world.rows.get((table, id_))

    def select(self, table: str) -> Iterator[Any]:
        """The rows of a table as this transaction sees them, in order of their ids."""
        seen = {key for key in self.world.rows if key[0] == table}
        seen |= {key for actor, key in self.world.writes if actor == self.actor and key[0] == table}
        return (self.get(*key) for key in sorted(seen))

    def lock(self, table: str, id_: Hashable) -> None:
        """FOR NO KEY UPDATE: wait until nobody else holds the row."""
        if self.world.locks.setdefault((table, id_), self.actor) != self.actor:
            raise Blocked(f"{table} {id_}, which {self.world.locks[table, id_]} holds")

    def lock_free(self, table: str, id_: Hashable) -> bool:
        """FOR NO KEY UPDATE SKIP LOCKED: False when somebody else holds the row."""
        return self.world.locks.setdefault((table, id_), self.actor) == self.actor

    def share(self, table: str, id_: Hashable) -> None:
        """An advisory lock that several may share: wait until nobody has it alone."""
        if self.world.locks.get((table, id_), self.actor) != self.actor:
            raise Blocked(f"{table} {id_}, which {self.world.locks[table, id_]} has alone")
        self.world.locks[table, (id_, self.actor)] = self.actor

    def lock_alone(self, table: str, id_: Hashable) -> None:
        """The same lock for nobody else: wait until nobody shares it."""
        for (name, _), actor in self.world.locks.items():
            if name == table and actor != self.actor:
                raise Blocked(f"{table} {id_}, which {actor} has")
        self.lock(table, id_)

    def insert(self, table: str, id_: Hashable, row: Any) -> None:
        """Write a new row. The same id by another transaction that has not ended makes this one wait."""
        key = table, id_
        if any(other != self.actor and written == key for other, written in self.world.writes):
            raise Blocked(f"the end of a transaction that inserts {table} {id_}, too")
        if self.get(table, id_) is not None:
            raise Refused(f"{table} {id_} is there already")
        self.world.writes[self.actor, key] = one(row)

    def update(self, table: str, id_: Hashable, row: Any) -> None:
        """Change a row, which takes its lock."""
        self.lock(table, id_)
        self.world.writes[self.actor, (table, id_)] = one(row)

    def commit(self) -> None:
        """Everything that was written becomes visible at once, and the locks are free."""
        for actor, key in list(self.world.writes):
            if actor == self.actor:
                self.world.rows[key] = self.world.writes.pop((actor, key))
        self.rollback()

    def rollback(self) -> None:
        """Forget what was not committed, and free the locks."""
        self.world.writes = {key: row for key, row in self.world.writes.items() if key[0] != self.actor}
        self.world.locks = {key: actor for key, actor in self.world.locks.items() if actor != self.actor}

    # -- what an actor remembers, and where it goes

    def keep(self, name: str, value: Any) -> None:
        """Remember until the end of the actor."""
        self.world.kept[self.actor, name] = one(value)

    def kept(self, name: str) -> Any:
        """What was remembered, or None."""
        return self.world.kept.get((self.actor, name))

    def tell(self, name: str, id_: Hashable, value: Any) -> None:
        """Note, for the judge alone, what the outside world saw."""
        self.world.rows[name, id_] = one(value)

    def again(self) -> None:
        """The same step comes next."""
        self.stays = True

    def leave(self, why: str) -> None:
        """There is nothing left to do."""
        self.rollback()
        self.is_over, self.said = True, why
