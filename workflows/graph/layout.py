"""Where everything stands in the picture of a definition: steps down the middle, jumps in lanes on the left, exits in
words on the right. Pure arithmetic, in SVG units.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workflows.definitions.document import Document, Step, Target
from workflows.definitions.graph import falls_through, targets

END = "\0end"  # no step can have this key
NODE_WIDTH, NODE_HEIGHT, EXIT_HEIGHT, GAP = 230, 46, 18, 30
LANE, LANES_AT_MOST, MARGIN, EXITS_WIDTH = 16, 8, 8, 250
CAP_WIDTH, CAP_HEIGHT = 190, 28


@dataclass(frozen=True, slots=True)
class Exit:
    """One way out of a step: what makes it happen, and where it leads: a step's key, or `END`."""

    label: str
    to: str
    says: str


@dataclass(frozen=True, slots=True)
class Node:
    """A step with its place. `top` and `height` are those of the box."""

    step: Step
    top: int
    height: int
    exits: tuple[Exit, ...]

    @property
    def middle(self) -> int:
        """The height at which jumps leave and arrive."""
        return self.top + NODE_HEIGHT // 2


@dataclass(frozen=True, slots=True)
class Jump:
    """A way between two steps that are not neighbours in order, in a lane of its own (0 is nearest to the steps)."""

    source: str
    target: str
    lane: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The whole picture."""

    nodes: tuple[Node, ...]
    jumps: tuple[Jump, ...]
    left: int
    width: int
    end_top: int
    height: int

    @property
    def centre(self) -> int:
        """Where the ways down run."""
        return self.left + NODE_WIDTH // 2


def lay_out(document: Document) -> Layout:
    """Places for every step, jump and end."""
    nodes, top = [], MARGIN + CAP_HEIGHT + GAP
    for step in document.steps:
        exits = tuple(_exits(document, step))
        height = max(NODE_HEIGHT, len(exits) * EXIT_HEIGHT + 4)
        nodes.append(Node(step, top, NODE_HEIGHT, exits))
        top += height + GAP
    jumps = _lanes(document, nodes)
    lanes = 1 + max((jump.lane for jump in jumps), default=-1)
    left = MARGIN + lanes * LANE + (10 if lanes else 0)
    return Layout(tuple(nodes), jumps, left, left + NODE_WIDTH + EXITS_WIDTH, top, top + CAP_HEIGHT + MARGIN)


def follower(document: Document, step: Step) -> str:
    """What comes after a step in order: the next step's key, or `END`."""
    following = document.step_after(step)
    return following.key if following is not None else END


def _exits(document: Document, step: Step) -> Iterator[Exit]:
    for pointer, target in targets(step):
        to = _leads_to(document, step, target)
        yield Exit(_label(step.config, pointer), to, _says(target, to))
    if falls_through(step):
        to = follower(document, step)
        yield Exit("otherwise" if step.on_outcome else "then", to, _says(Target("next"), to))


def _leads_to(document: Document, step: Step, target: Target) -> str:
    if target.kind == "goto":
        return target.step
    return follower(document, step) if target.kind == "next" else END


def _says(target: Target, to: str) -> str:
    match target.kind:
        case "stop":
            return f"stop: {target.reason}{', undo' if target.compensate else ''}"
        case "complete":
            return "complete"
    return "end" if to == END else to


def _label(config: Mapping[str, Any], pointer: str) -> str:
    """What a jump is called: a signal by its name, an outcome by its word, a condition by its number."""
    parts = pointer.strip("/").split("/")
    match parts:
        case ["signals", position, *_]:
            return str(config["signals"][int(position)]["name"])
        case ["when", position, *_]:
            return f"condition {int(position) + 1}"
        case ["on_timeout"]:
            return "time is up"
        case ["on_outcome", word]:
            return word.replace("_", " ")
    return " ".join(parts).replace("_", " ")


def _lanes(document: Document, nodes: Sequence[Node]) -> tuple[Jump, ...]:
    """Short jumps inside, long ones outside; two jumps share a lane only where they do not meet."""
    place = {node.step.key: position for position, node in enumerate(nodes)}
    place[END] = len(nodes)
    wanted = {
        (node.step.key, way.to)
        for node in nodes
        for way in node.exits
        if way.to in place and way.to != END and way.to != follower(document, node.step)
    }
    taken: list[list[tuple[int, int]]] = []
    jumps = []
    for source, target in sorted(wanted, key=lambda pair: (abs(place[pair[0]] - place[pair[1]]), place[pair[0]])):
        low, high = sorted((place[source], place[target]))
        lane = next((n for n, spans in enumerate(taken) if all(high < a or low > b for a, b in spans)), len(taken))
        lane = min(lane, LANES_AT_MOST - 1)
        if lane == len(taken):
            taken.append([])
        taken[lane].append((low, high))
        jumps.append(Jump(source, target, lane))
    return tuple(jumps)
