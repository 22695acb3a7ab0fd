import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.definitions.documents import json_values
from workflows.definitions.condition_checks import check_condition
from workflows.definitions.conditions import MOST_CLAUSES, OPERATORS, Judgement, evaluate
from workflows.definitions.paths import RUN_ROOTS, path_fault

FACTS = {"data": {"amount": 100, "plan": "pro", "tags": ["a", 1], "vip": True, "none": None, "when": "2027-01-02"}}


def at(path: str, **comparison: Any) -> dict[str, Any]:
    return {"path": f"data.{path}", **{key.rstrip("_"): value for key, value in comparison.items()}}


def faults(tree: Any) -> list[tuple[str, str]]:
    found = check_condition(tree, "/if", lambda text: path_fault(text, RUN_ROOTS))
    return [(one["path"], one["code"]) for one in found]


@pytest.mark.parametrize(
    ("clause", "held", "reason"),
    [
        (at("amount", eq=100), True, ""),
        (at("amount", eq=100.0), True, ""),
        (at("amount", eq="100"), False, ""),
        (at("vip", eq=1), False, ""),  # true is not 1
        (at("none", eq=None), True, ""),
        (at("gone", eq=None), False, "missing"),
        (at("amount", ne="100"), True, ""),
        (at("gone", ne=1), True, "missing"),
        (at("amount", lt=101), True, ""),
        (at("amount", lte=100), True, ""),
        (at("amount", gt=100), False, ""),
        (at("amount", gte=100), True, ""),
        (at("when", lt="2027-02-01"), True, ""),
        (at("plan", lt=1), False, "incomparable"),
        (at("vip", gte=0), False, "incomparable"),
        (at("gone", lt=1), False, "missing"),
        (at("plan", in_=["pro", "team"]), True, ""),
        (at("vip", in_=[1]), False, ""),
        (at("plan", not_in=["free"]), True, ""),
        (at("tags", contains=1), True, ""),
        (at("tags", contains=True), False, ""),
        (at("plan", contains="r"), True, ""),
        (at("amount", contains=1), False, "incomparable"),
        (at("plan", starts_with="pr"), True, ""),
        (at("amount", starts_with="1"), False, "incomparable"),
        (at("none", exists=True), True, ""),
        (at("gone", exists=False), True, ""),
    ],
)
def test_clauses(clause: dict[str, Any], held: bool, reason: str) -> None:
    judgement = evaluate(clause, FACTS)

    assert (judgement.held, judgement.reason) == (held, reason)


@pytest.mark.parametrize(
    ("tree", "held", "pointer"),
    [
        # the first clause that fails decides an `all`, however deep
        ({"all": [at("amount", gt=1), {"any": [at("plan", eq="x")]}, at("vip", eq=False)]}, False, "/all/1"),
        ({"all": [at("amount", gt=1), at("vip", eq=False)]}, False, "/all/1"),
        ({"all": [at("amount", gt=1)]}, True, ""),
        # the first clause that holds decides an `any`
        ({"any": [at("plan", eq="x"), {"all": [at("vip", eq=True)]}]}, True, "/any/1"),
        ({"any": [at("plan", eq="x"), at("vip", eq=True)]}, True, "/any/1"),
        ({"any": [at("plan", eq="x")]}, False, ""),
        ({"not": at("plan", eq="x")}, True, ""),
    ],
)
def test_the_clause_that_decided_is_named(tree: dict[str, Any], held: bool, pointer: str) -> None:
    judgement = evaluate(tree, FACTS)

    assert (judgement.held, judgement.pointer) == (held, pointer)


def test_a_judgement_tells_type_and_digest_but_never_the_value() -> None:
    judgement = evaluate({"all": [at("plan", eq="free")]}, {"data": {"plan": "secret-plan"}})

    context = judgement.as_context()
    assert context == {
        "held": False,
        "clause": "/all/0",
        "path": "data.plan",
        "op": "eq",
        "input_type": "string",
        "input_digest": context["input_digest"],
    }
    assert len(context["input_digest"]) == 16
    assert "secret" not in repr(judgement)


def test_when_no_single_clause_decided_all_are_listed() -> None:
    context = evaluate({"any": [at("plan", eq="x"), at("gone", eq=1)]}, FACTS).as_context()

    assert [(one["clause"], one.get("reason", "")) for one in context["because"]] == [
        ("/any/0", ""),
        ("/any/1", "missing"),
    ]


trees = st.recursive(
    st.fixed_dictionaries({"path": st.sampled_from(["data.a", "data.a.0", "run.b", ""])}).flatmap(
        lambda clause: st.tuples(st.sampled_from([*OPERATORS, "regex"]), json_values).map(
            lambda kv: clause | dict([kv])
        )
    )
    | json_values,
    lambda inner: (
        st.lists(inner, max_size=3).flatmap(lambda some: st.sampled_from([{"all": some}, {"any": some}]))
        | inner.map(lambda one: {"not": one})
    ),
    max_leaves=8,
)


@given(trees, st.fixed_dictionaries({"data": st.fixed_dictionaries({"a": json_values})}))
def test_judging_never_raises(tree: Any, facts: dict[str, Any]) -> None:
    assert isinstance(evaluate(tree, facts).as_context(), dict)


@given(trees)
def test_a_tree_without_faults_is_never_malformed(tree: Any) -> None:
    def malformed(judgement: Judgement) -> bool:
        return judgement.reason == "malformed" or any(map(malformed, judgement.because))

    if not faults(tree):
        assert not malformed(evaluate(tree, {"data": {"a": 1}}))


LARGE: list[tuple[Any, dict[str, Any]]] = [
    # a value of about a megabyte, which is the most that a body may hold, and what it is compared with
    ({str(number): "x" * 10 for number in range(40_000)}, {"eq": 1}),
    ("x" * 1_000_000, {"contains": "y"}),
    (["x" * 10] * 70_000, {"contains": "y"}),
    ("x" * 1_000_000, {"in": ["y"] * 100}),
]


@pytest.mark.parametrize(("value", "asked"), LARGE, ids=["object", "text", "list", "one of many"])
def test_a_hundred_clauses_about_a_large_value_cost_little_more_than_one(value: Any, asked: dict[str, Any]) -> None:
    tree = {"any": [{"path": "data.a", **asked}] * (MOST_CLAUSES - 1)}
    assert faults(tree) == []
    began = time.thread_time()

    assert not evaluate(tree, {"data": {"a": value}}).held

    assert time.thread_time() - began < 0.8  # it took 4 s when each clause digested its input


def nested(depth: int) -> Any:
    tree: Any = at("a", eq=1)
    for _ in range(depth):
        tree = {"not": tree}
    return tree


@pytest.mark.parametrize(
    ("tree", "found"),
    [
        (at("a", eq=1), []),
        (nested(8), []),
        (nested(9), [("/if" + "/not" * 9, "condition_depth")]),
        ({"any": [at("a", eq=1)] * (MOST_CLAUSES - 1)}, []),
        ({"any": [at("a", eq=1)] * MOST_CLAUSES}, [("/if", "condition_size")]),
        ("data.a == 1", [("/if", "condition")]),
        ({}, [("/if", "condition")]),
        ({"all": [], "any": []}, [("/if", "condition")]),
        ({"all": []}, [("/if/all", "condition")]),
        ({"all": {}}, [("/if/all", "condition")]),
        ({"any": [at("a", eq=1), 3]}, [("/if/any/1", "condition")]),
        ({"path": "data.a"}, [("/if", "operator")]),
        ({"path": "data.a", "eq": 1, "gt": 0}, [("/if", "operator")]),
        ({"path": "data.a", "matches": "(a+)+"}, [("/if", "operator")]),
        ({"path": "signal.data.a", "eq": 1}, [("/if/path", "path")]),
        (at("a", eq=[1]), [("/if/eq", "condition_value")]),
        (at("a", in_="abc"), [("/if/in", "condition_value")]),
        (at("a", in_=[]), [("/if/in", "condition_value")]),
        (at("a", lt=True), [("/if/lt", "condition_value")]),
        (at("a", exists="yes"), [("/if/exists", "condition_value")]),
        (at("a", starts_with=1), [("/if/starts_with", "condition_value")]),
    ],
)
def test_faults_of_conditions(tree: Any, found: list[tuple[str, str]]) -> None:
    assert faults(tree) == found
