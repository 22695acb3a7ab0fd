"""The figures of a whole exploration, in words."""

import time
from collections.abc import Iterator

from tests.explorer.guards import Guards
from tests.explorer.scenarios import SHOWN, scenarios
from tests.explorer.search import Found, explore


def report() -> Iterator[tuple[str, bool]]:
    """Lines to show, each with whether what it tells is as it should be."""
    began, totals = time.monotonic(), Found(states=0)
    yield "Every order, with every guard in place", True
    for name, scenario in scenarios().items():
        found = explore(scenario)
        totals.states, totals.steps, totals.ends = (
            totals.states + found.states,
            totals.steps + found.steps,
            totals.ends + found.ends,
        )
        yield f"  {found.states:>7} states {found.steps:>7} steps {found.ends:>5} ends  {name}", True
        if found.counter_example is not None:
            yield f"{found.counter_example}", False
    yield f"  {totals.states:>7} states {totals.steps:>7} steps {totals.ends:>5} ends  together", True
    yield from _without_guards()
    yield f"\n{time.monotonic() - began:.1f} s", True


def _without_guards() -> Iterator[tuple[str, bool]]:
    for without, name, what in SHOWN:
        found = explore(scenarios()[name], without)
        is_found = found.counter_example is not None and any(what in fault for fault in found.counter_example.broken)
        yield f"\nWithout this: {named(without)}\n  in: {name}\n{found.counter_example}", is_found


def named(without: Guards) -> str:
    """The guards, as people call them."""
    return "; and ".join(sorted(guard.value for guard in without))
