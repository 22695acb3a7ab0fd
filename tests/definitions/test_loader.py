import json
import time
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from chimeway_py.errors import Invalid
from tests.definitions.documents import document, json_values, texts
from workflows.definitions.loader import MOST_BYTES, form_of, load
from workflows.definitions.writer import write_yaml


def refusal(source: bytes, form: Any = "yaml") -> tuple[str, str]:
    with pytest.raises(Invalid) as refused:
        load(source, form)
    (first, *_) = refused.value.detail
    return first["path"], first["code"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("yes", "yes"), ("on", "on"), ("no", "no")),  # YAML 1.1 would say true and false
        *(("10:30", "10:30"), ("2027-01-31", "2027-01-31"), ("1_000", "1_000"), ("0x10", "0x10")),
        *(("true", True), ("null", None), ("", None), ("'null'", "null"), ("'12'", "12")),
        *(("12", 12), ("-7", -7), ("1.5", 1.5), ("1e3", 1000.0), ("-.5", -0.5), (".nan", ".nan")),
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_plain_words_are_read_as_yaml_1_2_reads_them(text: str, value: Any) -> None:
    found = load(f"a: {text}\n".encode(), "yaml")["a"]

    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("source", "path", "code"),
    [
        (b"a: 1\na: 2", "/a", "duplicate_key"),
        (b"a: {b: [1, {c: 1, c: 2}]}", "/a/b/1/c", "duplicate_key"),
        (b"a: &x [1]\nb: *x", "/b", "alias"),
        (b"a: !!python/object:os.system 1", "/a", "tag"),
        (b"a: !!binary aGk=", "/a", "tag"),
        (b"a: [1", "/a/1", "syntax"),
        (b"? [1]\n: 2", "", "key"),
        (b"a: 9223372036854775808", "/a", "number"),
        (b"a: [1, 1e400]", "/a/1", "number"),
        (b"a: " + b"9" * 5000, "/a", "number"),
        (b'a: "\\0"', "/a", "nul"),
        (b"a: \x00", "", "syntax"),
        (b"a: \xff", "", "encoding"),
        ("a: 1".encode("utf-16"), "", "encoding"),
        (b"[1]", "", "not_an_object"),
        (b"", "", "not_an_object"),
        (b"text", "", "not_an_object"),
        (b"a: 1\n---\nb: 2", "", "not_an_object"),
        (b"a: " + b"[" * 40, "/a" + "/0" * 31, "depth"),
        (b"a: " + b"x" * MOST_BYTES, "", "size"),
    ],
)
def test_yaml_that_is_refused(source: bytes, path: str, code: str) -> None:
    assert refusal(source) == (path, code)


@pytest.mark.parametrize("source", [b"[" * 200_000, b"- " * 100_000, b"{a: " * 60_000, b"&a [*a," * 30_000])
def test_bombs_are_refused_at_once(source: bytes) -> None:
    began = time.thread_time()

    refusal(source)

    assert time.thread_time() - began < 0.5


@pytest.mark.parametrize(
    ("source", "path", "code"),
    [
        (b'{"a": 1, "a": 2}', "/a", "duplicate_key"),
        (b'{"a": ["\\ud800"]}', "/a/0", "lone_surrogate"),
        (b'{"a": NaN}', "/a", "not_finite"),
        (b"[1]", "", "not_an_object"),
    ],
)
def test_json_passes_the_gate(source: bytes, path: str, code: str) -> None:
    assert refusal(source, "json") == (path, code)


@given(st.binary(max_size=200), st.sampled_from(["yaml", "json"]))
def test_bytes_raise_nothing_but_a_refusal(source: bytes, form: Any) -> None:
    with suppress(Invalid):
        assert isinstance(load(source, form), dict)


@given(st.text(alphabet="ab:{}[],-*&!?|>'\"#%@`0.\n\t \\u", max_size=60))
def test_anything_like_yaml_raises_nothing_but_a_refusal(text: str) -> None:
    with suppress(Invalid):
        assert isinstance(load(text.encode(), "yaml"), dict)


@given(st.dictionaries(texts, json_values))
def test_yaml_and_json_say_the_same(data: dict[str, Any]) -> None:
    written = document(description=None, data_schema={"const": data})

    assert load(write_yaml(written).encode(), "yaml") == written
    assert load(yaml.safe_dump({"a": "1e5"}).encode(), "yaml") == {"a": 1e5}  # why the writer has a dumper of its own


@given(st.dictionaries(texts, json_values))
def test_json_reads_back(data: dict[str, Any]) -> None:
    assert load(json.dumps(data).encode(), "json") == data


@pytest.mark.parametrize(
    ("name", "form"),
    [
        *(("a.yaml", "yaml"), ("A.YML", "yaml"), ("b/c.json", "json"), ("notes.txt", None), ("yaml", "yaml")),
        *(("application/yaml", "yaml"), ("text/x-yaml; charset=utf-8", "yaml"), ("application/json", "json")),
    ],
)
def test_the_form_is_known_from_the_name(name: str, form: str | None) -> None:
    assert form_of(name) == form
