"""`bin/demo --once`: walk the scenario against the running service and say whether every step held."""

import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from chimeway_py.demo.client import Client, DidNotHold
from chimeway_py.demo.place import Place
from chimeway_py.demo.scenario import Scenario
from chimeway_py.demo.screen import say
from chimeway_py.demo.supervisor import Supervisor

LOOK_EVERY = 0.1  # seconds


def walk_once(place: Place, supervisor: Supervisor, url: str, carriers_url: str) -> bool:
    """Walk, print what was seen, and return whether all of it held.

    The walk kills processes, so it has a thread of its own while this one goes on watching over them: processes die
    with the thread that started them, and that must not be the one that ends.
    """
    one, two = _tenants(place, url)
    scenario = Scenario(one, two, supervisor, place.mailbox, place.broker, place.carried, carriers_url)
    report = Report()
    walking = threading.Thread(target=report.fill, args=[scenario, place.environment()], name="scenario", daemon=True)
    walking.start()
    while walking.is_alive():
        supervisor.look()
        time.sleep(LOOK_EVERY)
    return report.held


class Report:
    """How one walk came out."""

    def __init__(self) -> None:
        self.held = False

    def fill(self, scenario: Scenario, env: Mapping[str, str]) -> None:
        """Walk all steps and print the explanations and the verified traces; a failure is printed and kept."""
        try:
            scenario.walk(lambda line: print(f"  {line}", flush=True))
            _print("One run of each kind, explained", scenario.explanations)
            _print("Traces, verified", lambda: scenario.verified(env))
        except DidNotHold as error:
            print(f"✗ {error}", file=sys.stderr, flush=True)
        else:
            say("Every step held")
            self.held = True


def _tenants(place: Place, url: str) -> tuple[Client, Client]:
    seeded: Mapping[str, Any] = place.memory.recall("seeded", dict)
    one, two = (Client(url=url, **tenant) for tenant in seeded["tenants"][:2])
    return one, two


def _print(title: str, content: Callable[[], str]) -> None:
    print(f"\n{title}:\n{content()}", flush=True)
