"""Bodies that broke other services: what is wrong, the bytes, the status, and the path and code of the first fault."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Poison:
    """One body that must be refused."""

    name: str
    body: bytes
    path: str
    code: str

    def __str__(self) -> str:
        return self.name


def _nested(depth: int, inner: bytes = b"") -> bytes:
    return b'{"name":"a","data":{"x":' + b"[" * depth + inner + b"]" * depth + b"}}"


BODIES = [
    Poison("nothing but space", b" \n", "", "empty"),
    Poison("a list", b"[]", "", "not_an_object"),
    Poison("a number", b"1", "", "not_an_object"),
    Poison("a text", b'"x"', "", "not_an_object"),
    Poison("null", b"null", "", "not_an_object"),
    Poison("cut short", b'{"name":', "", "not_json"),
    Poison("two objects", b"{}{}", "", "not_json"),
    Poison("single quotes", b"{'name':'a'}", "", "not_json"),
    Poison("a comment", b'{"name":"a"}//x', "", "not_json"),
    Poison("a raw newline in text", b'{"name":"a\n"}', "", "not_json"),
    Poison("NUL in a value", b'{"name":"a","data":{"k":["\\u0000"]}}', "/data/k/0", "nul"),
    Poison("NUL in a name", b'{"name":"a","data":{"k\\u0000":1}}', "/data/k\\u0000", "nul"),
    Poison("a raw NUL", b'{"name":"a\0"}', "", "bad_encoding"),
    Poison("a high surrogate alone", b'{"name":"a","data":{"k":"\\ud800"}}', "/data/k", "lone_surrogate"),
    Poison("a low surrogate alone", b'{"name":"a","data":{"k":"\\udfffx"}}', "/data/k", "lone_surrogate"),
    Poison("a surrogate in UTF-8", b'{"name":"\xed\xa0\x80"}', "", "bad_encoding"),
    Poison("Latin-1", b'{"name":"caf\xe9"}', "", "bad_encoding"),
    Poison("an overlong encoding", b'{"name":"\xc0\x80"}', "", "bad_encoding"),
    Poison("a byte order mark", b'\xef\xbb\xbf{"name":"a"}', "", "bad_encoding"),
    Poison("UTF-16 with a mark", '{"name":"a"}'.encode("utf-16"), "", "bad_encoding"),
    Poison("UTF-16 without", '{"name":"a"}'.encode("utf-16-le"), "", "bad_encoding"),
    Poison("UTF-32 without", '{"name":"a"}'.encode("utf-32-be"), "", "bad_encoding"),
    Poison("NaN", b'{"name":"a","data":{"x":NaN}}', "/data/x", "not_finite"),
    Poison("Infinity", b'{"name":"a","data":{"x":Infinity}}', "/data/x", "not_finite"),
    Poison("-Infinity", b'{"name":"a","data":{"x":-Infinity}}', "/data/x", "not_finite"),
    Poison("1e400", b'{"name":"a","data":{"x":1e400}}', "/data/x", "too_large"),
    Poison("1e131071", b'{"name":"a","data":{"x":[1e131071]}}', "/data/x/0", "too_large"),
    Poison("5,000 digits", b'{"name":"a","data":{"x":' + b"9" * 5000 + b"}}", "/data/x", "too_large"),
    Poison("one more than 64 bits", b'{"name":"a","data":{"x":9223372036854775808}}', "/data/x", "too_large"),
    Poison("one less than 64 bits", b'{"name":"a","data":{"x":-9223372036854775809}}', "/data/x", "too_large"),
    Poison("a member named twice", b'{"name":"a","name":"b"}', "/name", "duplicate_key"),
    Poison("named twice, deep", b'{"name":"a","data":{"x":[{"k":1,"k":1}]}}', "/data/x/0/k", "duplicate_key"),
    Poison("31 lists in two objects", _nested(31), "/data/x" + "/0" * 30, "too_deep"),
    Poison("a nesting of 2,000", _nested(2000), "/data/x" + "/0" * 30, "too_deep"),
    Poison("a nesting of 500,000", _nested(500_000), "/data/x" + "/0" * 30, "too_deep"),
    Poison("a million openings", b"[" * 1_000_000, "/0" * 32, "too_deep"),
    Poison("objects without end", b'{"a":' * 200_000, "/a" * 32, "too_deep"),
    Poison("100,000 members", b"{" + b",".join(b'"%d":1' % n for n in range(90_000)) + b"}", "", "too_many_members"),
    Poison("half a million items", b'{"data":[' + b"1," * 500_000 + b"1]}", "/data", "too_many_members"),
    Poison("a name of a million", b'{"' + b"k" * 1_000_000 + b'":1}', "/" + "k" * 50, "key_too_long"),
    Poison("quotes without end", b'{"name":"' + b'\\"' * 500_000, "", "not_json"),
    Poison("an escape at the end", b'{"name":"' + b'\\"' * 500_000 + b"\\", "", "not_json"),
]
