"""What can be pruned: each app registers a pruner for what it keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from workflows.models.retention import Kept

BATCH = 200  # things in one transaction


@dataclass(frozen=True, slots=True)
class Measure:
    """How much a part of a plan would take away, how much holds keep, and a digest of which things they are."""

    count: int
    held: int
    oldest: datetime | None
    digest: str


@dataclass(frozen=True, slots=True)
class Part:
    """Everything of one kind that ended, or came, before an instant."""

    what: Kept
    before: datetime
    archives: bool = False


@dataclass(frozen=True, slots=True)
class Authority:
    """Who takes it away, and why: at most 150 and 200 characters."""

    who: str
    why: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What is taken away next. `cursor` is where the search goes on; None when this was the last of it."""

    ids: Sequence[int]
    cursor: Any = None
    archive: str = ""


class Pruner(Protocol):
    """Knows one kind of thing. Selects without locks, and looks again when it takes away."""

    def measure(self, tenant_id: int, part: Part) -> Measure:
        """How much there is, in the caller's scope."""
        ...

    def prepare(self, tenant_id: int, part: Part, cursor: Any) -> Batch:
        """The next things after a cursor (None: the first), written to an archive if the part says so."""
        ...

    def take(self, tenant_id: int, part: Part, batch: Batch, authority: Authority) -> Mapping[str, int]:
        """Take away what may still be taken, in the caller's scope; how many rows of each kind."""
        ...


_pruners: dict[Kept, Pruner] = {}


def register_pruner(what: Kept, pruner: Pruner) -> None:
    """Make known who prunes this."""
    _pruners[what] = pruner


def pruner_of(what: str) -> Pruner:
    """Who prunes this."""
    return _pruners[Kept(what)]
