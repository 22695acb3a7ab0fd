"""What a scenario is about: one definition, its runs, the signals that are sent, and who acts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from tests.explorer.memory import MIDNIGHT, Turn
from tests.explorer.tables import TENANT, SignalRow
from workflows.services.documents import Loaded, read_document
from workflows.services.start_rows import NewRun, StartRow, start_row
from workflows.store.rows import dumps

INVOICE = {"invoice_id": "run.correlation.invoice_id"}
PAID = {"name": "invoice.paid", "match": INVOICE}


@dataclass(frozen=True, eq=False)
class Scene:
    """The facts that no schedule changes."""

    loaded: Loaded
    later: Loaded  # the version that runs may be moved to; the same one where none is
    runs: Mapping[int, StartRow]
    signals: Mapping[int, SignalRow]

    @property
    def documents(self) -> Mapping[int, Loaded]:
        """By id, as the store asks for them."""
        return {one.id: one for one in (self.loaded, self.later)}


def scene(
    steps: list[dict[str, Any]], runs: int = 1, signals: int = 1, later: list[dict[str, Any]] | None = None
) -> Scene:
    """A definition of these steps; runs and signals that are all about one invoice. `later`: its second version."""
    raw = {"key": "dunning", "correlation": ["invoice_id"], "steps": steps}
    loaded = read_document(1, "dunning", 1, raw)
    newer = read_document(2, "dunning", 2, raw | {"steps": later}) if later else loaded
    new, vault = NewRun(subject="ada", correlation={"invoice_id": "42"}), SimpleNamespace(tenant_id=TENANT)
    starts = {id_: start_row(vault, loaded, id_, new, MIDNIGHT, None) for id_ in range(1, runs + 1)}  # type: ignore[arg-type]
    about = dumps({"invoice_id": "42"})
    sent = {
        id_: SignalRow(id_, f"signal-{id_}", "invoice.paid", "ada", about, MIDNIGHT) for id_ in range(1, signals + 1)
    }
    return Scene(loaded, newer, starts, sent)


Step = Callable[[Turn, Scene], None]


@dataclass(frozen=True)
class Actor:
    """Somebody who takes steps in order: a process, a caller, or the clock."""

    name: str
    steps: tuple[Step, ...]
    may_die: bool = False  # killed between two steps; a caller only gives up, and says so again
    told: Mapping[str, Any] = field(default_factory=dict)  # what it knows from the start
