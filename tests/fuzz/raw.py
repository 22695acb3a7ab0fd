"""Raw bytes that look like a good body and are none: cut, bent, encoded otherwise, nested, repeated, or just noise."""

import json
from collections.abc import Mapping
from typing import Any

import hypothesis.strategies as st

from tests.api.poison import BODIES
from tests.fuzz.bent import bent

ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-7", "cp500")
PIECES = [
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"\\u0000",
    b"1e400",
    b"9" * 5000,
    b"NaN",
    b"[" * 3000,
    b'{"a":' * 3000,
    b"}{",
    b"\r\n\r\n",
    b"%00%ff&;=",
    "٣\u202e".encode(),
    b"",
]
"""What is put into the middle of a good body."""
TYPES = [
    "application/json",
    "application/json; charset=klingon",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "multipart/form-data",
    "text/plain; charset=utf-7",
    "",
]
SMALL = [poison.body for poison in BODIES if len(poison.body) < 10_000]
GARBAGE = ["", ",", "=", "v1,", "v1," * 1000, "t=,v1=", "t=1,t=2", "sha256=", "é", "0" * 5000, "-1", "1_700_000_000"]
GARBAGE += ["1e9", "Basic", "Basic ====", "Bearer x"]
HEADER = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=60) | st.sampled_from(GARBAGE)


@st.composite
def raw(draw: st.DrawFn, good: list[Any]) -> bytes:
    """The bytes of one of the good values after something happened to them."""
    value = draw(st.sampled_from(good))
    whole = value if isinstance(value, bytes) else json.dumps(value).encode()
    at = draw(st.integers(0, len(whole)))
    match draw(st.sampled_from(["cut", "splice", "replace", "encode", "bend", "repeat", "poison", "noise", "good"])):
        case "cut":
            return whole[:at]
        case "splice":
            return whole[:at] + draw(st.sampled_from(PIECES)) + whole[at:]
        case "replace":
            return whole[:at] + draw(st.sampled_from(PIECES)) + whole[at + 1 :]
        case "encode":
            return whole.decode("utf-8", "replace").encode(draw(st.sampled_from(ENCODINGS)), "replace")
        case "bend" if isinstance(value, Mapping | list):
            return json.dumps(draw(bent([value]))).encode()
        case "repeat":
            return whole.replace(b"{", b'{"type":1,"type":2,"id":[],', 1) if at % 2 else whole + whole
        case "poison":
            return draw(st.sampled_from(SMALL))
        case "noise":
            return draw(st.binary(max_size=200))
    return whole
