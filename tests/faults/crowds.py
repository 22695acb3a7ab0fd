"""A tenant with a limit, and crowds of starts that are more than it lets through: some wait, none passes beyond it."""

import random
from collections.abc import Iterator, Sequence
from itertools import combinations

from tests.faults.facts import RunRow
from tests.faults.journeys import Journey

SLUG = "tenant-limited"
LIMIT = 30  # starts in a minute
SLACK = 8  # starts: a run says when its transaction began, and its turn at the limit came later
CROWDS = ((0.1, 45), (0.6, 20))  # after which part of the traffic, and how many within a second


def crowds(seed: str, first: int, seconds: float, tenant: int) -> list[Journey]:
    """The journeys of all crowds. The same seed gives the same."""
    dice = random.Random(f"crowds {seed}")
    times = sorted(seconds * part + dice.random() for part, many in CROWDS for _ in range(many))
    return [
        Journey(first + number, at, "crowd", tenant, (), order=f"o{first + number}-{seed}")
        for number, at in enumerate(times)
    ]


def beyond(runs: Sequence[RunRow]) -> Iterator[str]:
    """Where more of the tenant's starts passed within some time than a full bucket and what flowed into it allow."""
    times = sorted(run.created_at.timestamp() for run in runs if run.tenant == SLUG)
    for (first, began), (last, ended) in combinations(enumerate(times), 2):
        passed, allowed = last - first + 1, LIMIT + SLACK + LIMIT * (ended - began) / 60
        if passed > allowed:
            yield f"{passed} starts within {ended - began:.1f} s passed a limit of {LIMIT} a minute"
            return


def turned_away(journeys: Sequence[Journey]) -> Iterator[str]:
    """How many starts had to wait, and that all of them passed in the end; for the report."""
    crowd = [journey for journey in journeys if journey.kind == "crowd"]
    if not crowd:
        return
    waited = sum("start" in journey.refused for journey in crowd)
    passed = sum("start" in journey.accepted for journey in crowd)
    told = f"{waited} were told when to come again, {passed} passed in the end"
    yield f"{len(crowd)} starts of a tenant with a limit of {LIMIT} a minute: {told}"
