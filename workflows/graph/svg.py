"""Drawing: a definition and a path in, an SVG out. Built as elements, so that every text is escaped.

It carries classes and no styles: the page's style sheet colours it, and no exception to the content policy is needed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from xml.etree import ElementTree as Xml

from workflows.definitions.document import Document, Step
from workflows.graph.layout import (
    CAP_HEIGHT,
    CAP_WIDTH,
    END,
    EXIT_HEIGHT,
    LANE,
    MARGIN,
    NODE_HEIGHT,
    NODE_WIDTH,
    Layout,
    Node,
    follower,
    lay_out,
)
from workflows.graph.path import PathTaken

_numbers = count(1)
NOT_TAKEN = PathTaken()


def draw_graph(document: Document, path: PathTaken = NOT_TAKEN) -> str:
    """The SVG of a definition with the way that a run took, its present step, and a title and description in words."""
    layout = lay_out(document)
    name = f"graph-{next(_numbers)}"
    svg = Xml.Element(
        "svg",
        {
            "class": "cw-graph",
            "viewBox": f"0 0 {layout.width} {layout.height}",
            "width": str(layout.width),
            "height": str(layout.height),
            "role": "img",
            "aria-labelledby": f"{name}-title {name}-desc",
        },
    )
    Xml.SubElement(svg, "title", {"id": f"{name}-title"}).text = f"Steps of {document.key}"
    Xml.SubElement(svg, "desc", {"id": f"{name}-desc"}).text = describe(document, path)
    _draw_ways(svg, document, layout, path)
    _draw_cap(svg, layout.left, MARGIN, _start_text(document), taken=bool(path.visits))
    for node in layout.nodes:
        _draw_node(svg, layout, node, path)
    _draw_cap(svg, layout.left, layout.end_top, path.end or "end", taken=bool(path.end))
    return Xml.tostring(svg, encoding="unicode")


def describe(document: Document, path: PathTaken) -> str:
    """The picture in words, for whoever does not see it."""
    steps = ", ".join(f"{step.position} {step.key} ({_in_words(step)})" for step in document.steps)
    if not path.visits:
        return f"Steps in order: {steps}."
    stands = f"It ended there: {path.end}." if path.end else f"It stands at {path.current}."
    return f"Steps in order: {steps}. The run went {' → '.join(path.visits)}. {stands}"


def _in_words(step: Step) -> str:
    return f"{step.kind}, undone by {_undone_by(step)}" if step.compensation else step.kind


def _start_text(document: Document) -> str:
    return document.start_on.signal if document.start_on is not None else "start"


@dataclass(frozen=True, slots=True)
class Way:
    """A line that ends in a small head at (x, y), which points down, or to the right when it comes in `sideways`."""

    line: str
    x: int
    y: int
    taken: bool
    sideways: bool = False

    @property
    def head(self) -> str:
        """The outline of the head."""
        if self.sideways:
            return f"M{self.x - 6} {self.y - 4}L{self.x} {self.y}L{self.x - 6} {self.y + 4}Z"
        return f"M{self.x - 4} {self.y - 6}L{self.x} {self.y}L{self.x + 4} {self.y - 6}Z"


def _draw_ways(svg: Xml.Element, document: Document, layout: Layout, path: PathTaken) -> None:
    """Ways between neighbours, then jumps; those taken last, so that they lie on top."""
    ways = [_start(layout, path), *_downward(document, layout, path), *_jumps(layout, path)]
    for way in sorted(ways, key=lambda way: way.taken):
        taken = " cw-taken" if way.taken else ""
        Xml.SubElement(svg, "path", {"class": f"cw-way{taken}", "d": way.line})
        Xml.SubElement(svg, "path", {"class": f"cw-head{taken}", "d": way.head})
    _draw_early_end(svg, layout, path)


def _start(layout: Layout, path: PathTaken) -> Way:
    top = layout.nodes[0].top
    return Way(f"M{layout.centre} {MARGIN + CAP_HEIGHT}V{top}", layout.centre, top, bool(path.visits))


def _downward(document: Document, layout: Layout, path: PathTaken) -> Iterator[Way]:
    """From each step to the one below it, where one of its exits leads there."""
    tops = {node.step.key: node.top for node in layout.nodes} | {END: layout.end_top}
    for node in layout.nodes:
        below = follower(document, node.step)
        if any(way.to == below for way in node.exits):
            ended = below == END and path.end != "" and path.current == node.step.key
            taken = ended or (node.step.key, below) in path.moves
            line = f"M{layout.centre} {node.top + NODE_HEIGHT}V{tops[below]}"
            yield Way(line, layout.centre, tops[below], taken)


def _jumps(layout: Layout, path: PathTaken) -> Iterator[Way]:
    """Out to the lane, along it, and back in; a jump leaves below the middle of a step and arrives above it."""
    middles = {node.step.key: node.middle for node in layout.nodes}
    for jump in layout.jumps:
        x, y = layout.left - 10 - jump.lane * LANE, middles[jump.target] - 8
        line = f"M{layout.left} {middles[jump.source] + 8}H{x}V{y}H{layout.left}"
        yield Way(line, layout.left, y, (jump.source, jump.target) in path.moves, sideways=True)


def _draw_early_end(svg: Xml.Element, layout: Layout, path: PathTaken) -> None:
    """A run may end at any step: a dotted line leads from there to the end."""
    node = next((node for node in layout.nodes if node.step.key == path.current), None)
    if path.end and node is not None and node is not layout.nodes[-1]:
        right, y = layout.left + NODE_WIDTH, layout.end_top + CAP_HEIGHT // 2
        line = f"M{right} {node.middle}H{right + 6}V{y}H{layout.centre + CAP_WIDTH // 2}"
        Xml.SubElement(svg, "path", {"class": "cw-way cw-taken cw-early", "d": line})


def _draw_cap(svg: Xml.Element, left: int, top: int, text: str, *, taken: bool) -> None:
    """The rounded box where a journey starts or ends."""
    x = left + (NODE_WIDTH - CAP_WIDTH) // 2
    group = Xml.SubElement(svg, "g", {"class": "cw-cap cw-taken" if taken else "cw-cap"})
    size = {"width": str(CAP_WIDTH), "height": str(CAP_HEIGHT), "rx": str(CAP_HEIGHT // 2)}
    Xml.SubElement(group, "rect", {"x": str(x), "y": str(top), **size})
    _text(group, left + NODE_WIDTH // 2, top + 19, text, 26, {"text-anchor": "middle"})


def _draw_node(svg: Xml.Element, layout: Layout, node: Node, path: PathTaken) -> None:
    key = node.step.key
    visits = path.visits.count(key)
    classes = [
        "cw-node",
        *(["cw-taken"] if visits else []),
        *(["cw-current"] if path.current == key and not path.end else []),
    ]
    group = Xml.SubElement(svg, "g", {"class": " ".join(classes)})
    size = {"width": str(NODE_WIDTH), "height": str(node.height), "rx": "6"}
    Xml.SubElement(group, "rect", {"x": str(layout.left), "y": str(node.top), **size})
    _text(group, layout.left + 12, node.top + 19, key, 24, {"class": "cw-key"})
    _text(group, layout.left + 12, node.top + 36, _what(node.step), 34, {"class": "cw-what"})
    if visits > 1:
        _text(group, layout.left + NODE_WIDTH - 10, node.top + 19, f"{visits}×", 6, {"text-anchor": "end"})
    for number, way in enumerate(node.exits):
        text = f"{way.label} → {way.says}"
        _text(
            group, layout.left + NODE_WIDTH + 14, node.top + 14 + number * EXIT_HEIGHT, text, 38, {"class": "cw-exit"}
        )


def _what(step: Step) -> str:
    """What a step does, in a few words of its own declaration."""
    config = step.config
    detail = config.get("channel") or config.get("for") or ("until" if "until" in config else "")
    said = f"{step.kind} · {detail}" if detail else step.kind
    return f"{said} ↩ {_undone_by(step)}" if step.compensation else said


def _undone_by(step: Step) -> str:
    """What undoes a step."""
    assert step.compensation is not None
    return str(step.compensation.config.get("channel") or step.compensation.kind)


def _text(parent: Xml.Element, x: int, y: int, text: str, most: int, attributes: dict[str, str]) -> None:
    """A text of at most `most` characters; the whole of a longer one shows when pointed at."""
    element = Xml.SubElement(parent, "text", {"x": str(x), "y": str(y), **attributes})
    element.text = text if len(text) <= most else f"{text[: most - 1]}…"
    if len(text) > most:
        Xml.SubElement(element, "title").text = text
