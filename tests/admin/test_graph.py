"""The picture of a run's steps: structure, path, and that every text in it is escaped."""

from typing import Any
from xml.etree import ElementTree as Xml

from tests.admin.conftest import journey
from workflows.definitions.document import parse_document
from workflows.graph import PathTaken, draw_graph, path_taken
from workflows.graph.layout import lay_out
from workflows.models import Transition

DOCUMENT: dict[str, Any] = {
    "key": "flow",
    "steps": [
        {
            "key": "how",
            "kind": "branch",
            "when": [{"if": {"path": "run.subject", "eq": "x"}, "then": {"goto": "last"}}],
        },
        {"key": "rest", "kind": "wait", "for": "PT1H", "signals": [{"name": "go", "then": {"goto": "how"}}]},
        {"key": "last", "kind": "wait", "for": "PT1H", "on_timeout": {"stop": "too_late"}},
    ],
}


NOT_TAKEN = PathTaken()


def draw(document: dict[str, Any] = DOCUMENT, path: PathTaken = NOT_TAKEN) -> Xml.Element:
    return Xml.fromstring(draw_graph(parse_document(document), path))  # noqa: S314  we drew it


def texts(svg: Xml.Element) -> list[str]:
    return [element.text or "" for element in svg.iter() if element.tag.endswith("text")]


def classes(svg: Xml.Element, text: str) -> set[str]:
    """Of the group that a text stands in."""
    (group,) = [group for group in svg.iter("g") if any(child.text == text for child in group)]
    return set(group.attrib["class"].split())


def test_every_step_and_every_exit_is_there():
    shown = texts(draw())

    assert [text for text in shown if text in {"how", "rest", "last"}] == ["how", "rest", "last"]
    assert {"condition 1 → last", "else → rest", "go → how", "time is up → last", "time is up → stop: too_late"} <= set(
        shown
    )


def test_jumps_have_lanes_that_do_not_meet():
    layout = lay_out(parse_document(DOCUMENT))

    assert {(jump.source, jump.target): jump.lane for jump in layout.jumps} == {("how", "last"): 1, ("rest", "how"): 0}


def test_the_path_and_the_present_step_stand_out():
    svg = draw(path=PathTaken(("how", "last")))

    assert "cw-taken" in classes(svg, "how")
    assert "cw-current" in classes(svg, "last")
    assert "cw-taken" not in classes(svg, "rest")
    taken = [way for way in svg.iter("path") if way.attrib["class"] == "cw-way cw-taken"]
    assert len(taken) == 2  # into the first step, and the jump


def test_an_ended_run_leads_to_its_end():
    svg = draw(path=PathTaken(("how", "rest"), "cancelled"))

    assert "cw-taken" in classes(svg, "cancelled")
    assert [way for way in svg.iter("path") if "cw-early" in way.attrib["class"]]
    assert not [group for group in svg.iter("g") if "cw-current" in group.attrib["class"]]


def test_repeated_visits_are_counted():
    assert "2×" in texts(draw(path=PathTaken(("how", "rest", "how"))))


def test_the_picture_is_told_in_words():
    svg = draw(path=PathTaken(("how", "rest")))
    by_id = {element.attrib["id"]: element.text for element in svg.iter() if "id" in element.attrib}

    title, description = (by_id[name] for name in svg.attrib["aria-labelledby"].split())
    assert svg.attrib["role"] == "img"
    assert title == "Steps of flow"
    assert description is not None
    assert "how → rest" in description
    assert "It stands at rest." in description


def test_texts_are_escaped_and_cut():
    document = journey("flow")
    document["steps"][1]["signals"][0]["then"] = {"stop": "<script>" * 20}

    drawn = draw_graph(parse_document(document))

    assert "<script>" not in drawn
    assert "&lt;script&gt;" in drawn
    assert "style" not in drawn
    assert max(len(text) for text in texts(draw(document))) < 60


def test_two_hundred_steps_are_drawn():
    steps = [
        {"key": f"s{n}", "kind": "wait", "for": "PT1H", "on_timeout": {"goto": f"s{n * 7 % 200}"}} for n in range(200)
    ]

    layout = lay_out(parse_document({"key": "long", "steps": steps}))

    assert len(layout.nodes) == 200
    assert layout.left < 200  # lanes are limited


def test_a_trace_gives_the_path():
    lines = [
        Transition(step="", to_state="pending"),
        Transition(step="how", visit=1, to_state="active"),
        Transition(step="rest", visit=1, to_state="waiting"),
        Transition(step="rest", visit=1, to_state="active"),
        Transition(step="how", visit=2, to_state="active"),
        Transition(step="how", visit=2, to_state="stopped"),
    ]

    assert path_taken(lines) == PathTaken(("how", "rest", "how"), "stopped")
    assert path_taken(lines[:-1]).end == ""
