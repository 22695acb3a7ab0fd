"""The steps of a definition as a graph: where each may lead, what is never reached, what would loop without resting."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from workflows.definitions.document import Document, Step, Target
from workflows.steps.registry import kinds, step_kind

Edges = Mapping[str, tuple[str, ...]]


def successors(document: Document, key: str) -> tuple[str, ...]:
    """The keys of the steps that may come right after the step `key`, without repeats."""
    return _after(document.steps, document.by_key[key])


def edges(steps: Sequence[Step]) -> dict[str, tuple[str, ...]]:
    """For each step, the keys of those that may come right after it; a target that does not exist is left out."""
    known = {step.key for step in steps}
    return {step.key: tuple(key for key in _after(steps, step) if key in known) for step in steps}


def targets(step: Step) -> Iterator[tuple[str, Target]]:
    """Every jump of a step with the JSON Pointer of its place inside the step, `on_outcome` included.

    Of a kind that this process does not know, the jumps of its own are missing.
    """
    if step.kind in kinds():
        yield from step_kind(step.kind).targets(step.config)
    for word, target in step.on_outcome.items():
        yield f"/on_outcome/{word}", target


def falls_through(step: Step) -> bool:
    """Whether the step may lead to the next one in order; one of an unknown kind may."""
    return step.kind not in kinds() or step_kind(step.kind).falls_through(step.config)


def reachable(graph: Edges, start: str) -> set[str]:
    """The keys that a walk from `start` meets, `start` among them."""
    return {start} | _walk(graph, graph[start])


def restless_cycles(steps: Sequence[Step]) -> list[tuple[str, ...]]:
    """The loops that a run could spin in, because no step in them makes it rest. One per knot of loops."""
    restless = [step.key for step in steps if not step_kind(step.kind).rests(step.config)]
    graph = edges(steps)
    inner = {key: tuple(other for other in graph[key] if other in restless) for key in restless}
    found: list[tuple[str, ...]] = []
    told: set[str] = set()
    for key in restless:
        if key not in told and (loop := _loop(inner, key)):
            found.append(loop)
            told |= {other for other in _walk(inner, inner[key]) if key in _walk(inner, inner[other])}
    return found


def _after(steps: Sequence[Step], step: Step) -> tuple[str, ...]:
    if step.kind not in kinds():  # where it leads only newer code can tell
        return tuple(other.key for other in steps)
    jumps = [target for _, target in targets(step)]
    if falls_through(step):
        jumps.append(Target("next"))
    following = steps[step.position].key if step.position < len(steps) else None
    keys = (following if target.kind == "next" else target.step for target in jumps if target.kind in {"next", "goto"})
    return tuple(dict.fromkeys(key for key in keys if key is not None))


def _walk(graph: Edges, starts: Iterable[str]) -> set[str]:
    seen: set[str] = set()
    todo = list(starts)
    while todo:
        key = todo.pop()
        if key not in seen:
            seen.add(key)
            todo.extend(graph[key])
    return seen


def _loop(graph: Edges, start: str) -> tuple[str, ...] | None:
    """The shortest way from `start` back to itself, both ends included."""
    came_from: dict[str, str] = {}
    todo = [start]
    for key in todo:
        for other in graph[key]:
            if other == start:
                way = [start, key]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return tuple(reversed(way))
            if other not in came_from:
                came_from[other] = key
                todo.append(other)
    return None
