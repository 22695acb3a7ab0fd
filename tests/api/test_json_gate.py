"""The gate that JSON passes: what it refuses, how fast, and that it lets everything else through unchanged."""

import json
import time
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from chimeway_py.api.json_gate import INT64, MAX_DEPTH, pointer, read_json
from chimeway_py.errors import Invalid
from tests.api.poison import BODIES, Poison

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(INT64[0], INT64[-1])
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=20
)


@pytest.mark.parametrize("poison", BODIES, ids=str)
def test_a_poison_body_is_refused_by_path_and_soon(poison: Poison) -> None:
    started = time.thread_time()

    with pytest.raises(Invalid) as refused:
        read_json(poison.body)

    found = refused.value.detail[0]
    assert (found["path"], found["code"]) == (poison.path, poison.code)
    assert time.thread_time() - started < 1.0  # a slow path would take minutes for these, on any machine


@given(st.dictionaries(TEXT, VALUES, max_size=4), st.booleans())
def test_every_other_object_passes_unchanged(value: dict[str, Any], escaped: bool) -> None:
    raw = json.dumps(value, ensure_ascii=escaped).encode()

    assert read_json(raw) == value


@given(st.binary(max_size=60) | st.text('{}[]",:\\u0019eE-NaInfity.tru ', max_size=60).map(str.encode))
def test_any_bytes_are_an_object_or_a_refusal(raw: bytes) -> None:
    try:
        answer: Any = read_json(raw)
    except Invalid as refused:
        answer = refused.detail

    assert isinstance(answer, dict) or {"path", "code", "message"} == answer[0].keys()
    json.dumps(answer, ensure_ascii=False).encode()  # what passes can be stored, what is said can be sent


def test_the_deepest_body_that_is_allowed_passes() -> None:
    assert read_json(b'{"x":' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}")


def test_brackets_in_text_are_not_depth() -> None:
    assert read_json(b'{"x":"' + b'[{\\"' * 100 + b'"}') == {"x": '[{"' * 100}


def test_every_fault_is_told_but_not_without_end() -> None:
    body = b'{"x":[' + b",".join([b"NaN"] * 1000) + b"]}"

    with pytest.raises(Invalid) as refused:
        read_json(body)

    assert [found["path"] for found in refused.value.detail] == [f"/x/{index}" for index in range(20)]


@pytest.mark.parametrize(
    ("key", "shown"), [("a/b~c", "/a~1b~0c"), (3, "/3"), ("\ud800", "/\\ud800"), ("k" * 99, "/" + "k" * 50)]
)
def test_a_pointer_can_always_be_shown(key: str | int, shown: str) -> None:
    assert pointer("", key) == shown
