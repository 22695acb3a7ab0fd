"""What an app above knows of a run that its trace cannot tell: news that came after its end, work done again by hand.

Nothing is added to the trace of a run that has ended, and a resend is no step of a run. So whoever explains one asks
the apps that did its work. A run that goes on and of which nothing was sent again costs no question.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from workflows.explain.picture import Picture


@dataclass(frozen=True, slots=True)
class Afterwards:
    """One thing that became known or was done besides: of which visit, when, and at which row of the app above."""

    what: str
    step: str
    visit: int
    delivery: UUID
    at: datetime
    sentence: str


Lookup = Callable[[int, int, datetime | None], Sequence[Afterwards]]
"""Of a tenant, a run by its row's id, and when the run ended if it has. Called in the tenant's scope."""
MOST_SAID = 3  # in the sentence, the latest of them
_lookups: dict[str, Lookup] = {}


def register_afterwards(kind: str, lookup: Lookup) -> None:
    """Make known who speaks for the steps of a kind."""
    _lookups[kind] = lookup


def afterwards_of(tenant_id: int, picture: Picture) -> tuple[Afterwards, ...]:
    """What is known besides, in order of time. Needs the tenant's scope.

    A run that goes on is told of every report, so without a resend there is nothing to ask.
    """
    if picture.run.finished_at is None and not picture.has_resends:
        return ()
    asked = {step.kind for step in picture.version.document.steps} & _lookups.keys()
    run = picture.run
    found = [one for kind in asked for one in _lookups[kind](tenant_id, run.id, run.finished_at)]
    return tuple(sorted(found, key=lambda one: one.at))


def with_them(sentence: str, afterwards: Sequence[Afterwards]) -> str:
    """The sentence of a run, and what is known besides."""
    return " ".join([sentence, *(one.sentence for one in afterwards[-MOST_SAID:])])
