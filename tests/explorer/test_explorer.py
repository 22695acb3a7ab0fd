"""Every order in which a few actors meet keeps the promises; without a guard, the search finds one that does not."""

import pytest

from tests.explorer.guards import Guard, Guards
from tests.explorer.scenarios import SHOWN, scenarios
from tests.explorer.search import explore


@pytest.mark.parametrize("name", scenarios())
def test_every_order_keeps_the_promises(name: str) -> None:
    found = explore(scenarios()[name])

    assert found.counter_example is None, f"\n{found.counter_example}"
    assert found.ends > 1


@pytest.mark.parametrize(
    ("without", "name", "what"), SHOWN, ids=["+".join(sorted(guard.name for guard in shown[0])) for shown in SHOWN]
)
def test_without_a_guard_the_search_finds_what_goes_wrong(without: Guards, name: str, what: str) -> None:
    found = explore(scenarios()[name], without)

    assert found.counter_example is not None
    assert any(what in fault for fault in found.counter_example.broken), f"\n{found.counter_example}"


def test_every_guard_is_taken_out_once() -> None:
    assert {guard for without, _, _ in SHOWN for guard in without} == set(Guard)
