"""Trying every order: breadth first, so that the first schedule that breaks a promise is the shortest."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.explorer.engine_actors import advances, routes
from tests.explorer.guards import NONE, Guard, Guards
from tests.explorer.memory import Blocked, Refused, Turn, World, one
from tests.explorer.promises import broken
from tests.explorer.scene import Actor, Scene
from tests.explorer.work_actors import ends_lost_work, works

SWEEPS = (
    routes("sweep: router"),
    advances("sweep: engine"),
    ends_lost_work("sweep: lost work"),
    works("sweep: worker"),
)
DAY = 24 * 60
MOST_ROUNDS = 20


@dataclass(frozen=True)
class Line:
    """One step of a schedule."""

    actor: str
    said: str


@dataclass(frozen=True)
class CounterExample:
    """A schedule, and the promises that it breaks."""

    schedule: tuple[Line, ...]
    broken: tuple[str, ...]

    def __str__(self) -> str:
        width = max(len(line.actor) for line in self.schedule)
        told = [
            f"{number:>4}  {line.actor:<{width}}  {line.said}" for number, line in enumerate(self.schedule, start=1)
        ]
        return "\n".join([*told, *(f"   ✗  {fault}" for fault in self.broken)])


@dataclass(frozen=True)
class Scenario:
    """Who meets whom. `before` take all their steps first, in order; `deaths` is how many processes may be killed."""

    name: str
    scene: Scene
    actors: tuple[Actor, ...]
    before: tuple[Actor, ...] = ()
    deaths: int = 0


@dataclass(slots=True)
class Found:
    """What a search saw."""

    states: int = 0
    steps: int = 0
    ends: int = 0
    counter_example: CounterExample | None = None


Trail = tuple["Trail", Line] | None


def explore(scenario: Scenario, without: Guards = NONE) -> Found:
    """Try every order in which the actors can take their steps; stop at the first that breaks a promise."""
    begin = _begun(scenario, without)
    found, seen = Found(states=1), {begin.key()}
    layer: list[tuple[World, Trail]] = [(begin, None)]
    while layer and found.counter_example is None:
        layer = list(_next_layer(scenario, without, found, seen, layer))
    return found


def _next_layer(
    scenario: Scenario, without: Guards, found: Found, seen: set[object], layer: list[tuple[World, Trail]]
) -> Iterator[tuple[World, Trail]]:
    for world, trail in layer:
        steps = list(_steps(scenario, without, world))
        for after, line in [*steps, *_kills(scenario, world)]:
            found.steps += 1
            if (key := after.key()) not in seen:
                seen.add(key)
                found.states += 1
                yield after, (trail, line)
        if not steps:
            found.ends += 1
            found.counter_example = _judged(scenario, without, world, trail)
            if found.counter_example is not None:
                return


def _steps(scenario: Scenario, without: Guards, world: World) -> Iterator[tuple[World, Line]]:
    """Each step that can be taken now."""
    for actor in scenario.actors:
        if world.at[actor.name] < len(actor.steps):
            stepped = step(scenario.scene, actor, world, without)
            if stepped is not None:
                yield stepped


def _kills(scenario: Scenario, world: World) -> Iterator[tuple[World, Line]]:
    """Each process that can die now, with what it had not committed."""
    if world.deaths < scenario.deaths:
        for actor in scenario.actors:
            if actor.may_die and 0 < world.at[actor.name] < len(actor.steps):
                yield _killed(actor, world)


def step(scene: Scene, actor: Actor, world: World, without: Guards) -> tuple[World, Line] | None:
    """The world after the next step of an actor; None when it waits for a lock."""
    turn = Turn(world.copy(), actor.name, without)
    at = world.at[actor.name]
    try:
        actor.steps[at](turn, scene)
    except Blocked:
        return None
    except Refused as refused:
        turn.leave(f"is refused: {refused}")
        turn.tell("refused", actor.name, str(refused))
    if turn.is_over:
        at = len(actor.steps)
    elif not turn.stays:
        at += 1
    _stand(turn.world, actor, at)
    return turn.world, Line(actor.name, turn.said.removesuffix("; "))


def _stand(world: World, actor: Actor, at: int) -> None:
    """An actor that is done remembers nothing, so that worlds that differ only in that are one."""
    world.at[actor.name] = at
    if at == len(actor.steps):
        world.kept = {key: value for key, value in world.kept.items() if key[0] != actor.name}


def _killed(actor: Actor, world: World) -> tuple[World, Line]:
    turn = Turn(world.copy(), actor.name, NONE)
    turn.rollback()
    turn.world.deaths += 1
    _stand(turn.world, actor, len(actor.steps))
    return turn.world, Line(actor.name, "is killed")


def _begun(scenario: Scenario, without: Guards) -> World:
    world = World()
    for actor in scenario.before:
        world, _ = _whole(scenario.scene, actor, world, without)
    for actor in scenario.actors:
        world.at[actor.name] = 0
        world.kept |= {(actor.name, name): one(value) for name, value in actor.told.items()}
    return world


def _whole(scene: Scene, actor: Actor, world: World, without: Guards) -> tuple[World, list[Line]]:
    """All steps of one actor while nobody else is about."""
    lines = []
    world.at[actor.name] = 0
    world.kept |= {(actor.name, name): one(value) for name, value in actor.told.items()}
    while world.at[actor.name] < len(actor.steps):
        stepped = step(scene, actor, world, without)
        assert stepped is not None, f"{actor.name} waits for nobody"
        world = stepped[0]
        lines.append(stepped[1])
    del world.at[actor.name]
    return world, lines


def _judged(scenario: Scenario, without: Guards, world: World, trail: Trail) -> CounterExample | None:
    """What is broken where nobody can go on: once the sweeps have been, and once more a day later."""
    lines = _told(trail)
    waiting = [actor.name for actor in scenario.actors if world.at[actor.name] < len(actor.steps)]
    if waiting:
        return CounterExample(lines, (f"Stuck: {' and '.join(waiting)} wait for each other.",))
    world, more = _swept(scenario.scene, world.copy(), without)
    faults = tuple(broken(world, scenario.scene))
    if not faults:
        world.minute += DAY
        world, much_later = _swept(scenario.scene, world, without)
        more += [Line("clock", "goes on by a day"), *much_later]
        faults = tuple(broken(world, scenario.scene))
    return CounterExample((*lines, *more), faults) if faults else None


def _swept(scene: Scene, world: World, without: Guards) -> tuple[World, list[Line]]:
    """services/sweeping: due work is offered again and again, until none is left."""
    lines: list[Line] = []
    rounds = 0 if Guard.SWEEP in without else MOST_ROUNDS
    for _ in range(rounds):
        before = world.rows
        for actor in SWEEPS:
            world, told = _whole(scene, actor, world, without)
            lines += told if len(told) > 1 else []
        if world.rows == before:
            break
    return world, lines


def _told(trail: Trail) -> tuple[Line, ...]:
    lines = []
    while trail is not None:
        trail, line = trail
        lines.append(line)
    return tuple(reversed(lines))
