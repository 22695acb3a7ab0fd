"""One encoder and one decoder, with the texts and the errors of the standard library's."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimeway_py.jsontext import decode, encoder_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("ascii_only", [True, False])
@given(value=VALUES)
def test_the_text_is_that_of_the_standard_library(ascii_only: bool, value: Any) -> None:
    text = encoder_of(ascii_only=ascii_only, nan=False)(value)

    assert text == json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=ascii_only, allow_nan=False)
    assert decode(text.encode("utf-8", "surrogatepass")) == value if ascii_only else decode(text) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [-float("inf")]])
def test_what_no_json_can_say_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="JSON"):
        encoder_of(ascii_only=False, nan=False)(value)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError):
        encoder_of(ascii_only=True, nan=True)({"when": object()})
