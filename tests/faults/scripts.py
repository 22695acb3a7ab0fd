"""What the clients of a tenant do, step by step: a script for each kind of journey, and which of them when.

A script is a generator that yields the seconds until it goes on.
"""

import random
import uuid
from collections.abc import Callable, Generator

from tests.faults.journeys import Journey, Walker

Script = Generator[float, None, None]


def canary(walk: Walker, chance: tuple[float, ...]) -> Script:
    """A start and a mail: how long it takes is how well the service is."""
    walk.start()
    yield 0


def paid(walk: Walker, chance: tuple[float, ...]) -> Script:
    """Started by a webhook and paid by another, perhaps at once, perhaps twice."""
    walk.place()
    yield chance[0] * 4 if chance[1] > 0.3 else 0
    walk.pay()
    if chance[2] < 0.3:
        yield chance[2]
        walk.pay()
    if chance[3] < 0.15:
        walk.pay_otherwise()
    elif chance[3] < 0.3:
        walk.forge()


def silent(walk: Walker, chance: tuple[float, ...]) -> Script:
    """Nobody pays; the time runs out and a webhook goes out."""
    walk.start()
    yield chance[0]
    if chance[1] < 0.3:
        walk.start_again()
    if chance[2] < 0.3:
        walk.trespass()
    if chance[3] < 0.2:
        walk.shout()


def race(walk: Walker, chance: tuple[float, ...]) -> Script:
    """The payment comes when the time is up, about."""
    walk.start()
    yield 2.5 + chance[0]
    walk.pay_by_rest()


def cancelled(walk: Walker, chance: tuple[float, ...]) -> Script:
    """Ended by its client, and then it is paid after all."""
    walk.start()
    yield chance[0] * 2
    walk.control("cancel")
    yield chance[1]
    walk.pay()


def flaky(walk: Walker, chance: tuple[float, ...]) -> Script:
    """The receiver refuses the first try."""
    walk.start()
    yield chance[0]
    if chance[1] < 0.3:
        walk.poison()


def once(walk: Walker, chance: tuple[float, ...]) -> Script:
    """A message that must not be sent twice."""
    walk.start()
    yield 0


def early(walk: Walker, chance: tuple[float, ...]) -> Script:
    """The payment comes before the run."""
    walk.pay()
    yield chance[0]
    walk.start()


def paused(walk: Walker, chance: tuple[float, ...]) -> Script:
    """Held for a while, and let go."""
    walk.start()
    yield chance[0] * 1.5
    walk.control("pause")
    yield 1 + chance[1] * 2
    walk.control("resume")


def asked(walk: Walker, chance: tuple[float, ...]) -> Script:
    """A person says yes as soon as they can."""
    walk.start()
    yield 0.5 + chance[0]
    for _ in range(200):
        if walk.state() == "waiting":
            break
        yield 0.5
    walk.control("approve", actor="ada")


def crowd(walk: Walker, chance: tuple[float, ...]) -> Script:
    """One of many starts of a tenant with a limit: sent again when there is room."""
    while (pause := walk.start_in_turn()) is not None:
        yield pause


_RANDOM = (paid, silent, race, cancelled, flaky, once, early, paused, asked)
OTHERS = [script.__name__ for script in _RANDOM]
SCRIPTS: dict[str, Callable[[Walker, tuple[float, ...]], Script]] = {
    script.__name__: script for script in (canary, *_RANDOM, crowd)
}


def planned(seed: str, seconds: float, tenants: int, rates: tuple[float, float]) -> list[Journey]:
    """Journeys over so many seconds: canaries at an even beat, the others at random. The same seed gives the same."""
    dice = random.Random(f"journeys {seed}")
    canaries, others = rates
    times = [(number / canaries, "canary") for number in range(int(seconds * canaries))]
    times += [(dice.uniform(0, seconds), dice.choice(OTHERS)) for _ in range(int(seconds * others))]
    journeys = []
    for number, (at, kind) in enumerate(sorted(times)):
        choices = tuple(dice.random() for _ in range(4))
        journeys.append(Journey(number, at, kind, dice.randrange(tenants), choices, order=f"o{number}-{seed}"))
    return journeys


def new_seed() -> str:
    """A seed that nobody asked for."""
    return uuid.uuid4().hex[:8]
