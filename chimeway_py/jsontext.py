"""JSON text: one encoder and one decoder, made once. Making them anew costs the standard library more than using them.

The engine writes some thirty small values per run and reads a dozen; through `json.dumps` and `json.loads` these were
a quarter of its Python time.
"""

import json
from collections.abc import Callable
from json import encoder
from typing import Any


def encoder_of(*, ascii_only: bool, nan: bool) -> Callable[[Any], str]:
    """A function that gives the one text of a value: keys sorted, no spaces.

    It raises `TypeError` for what JSON cannot say and, unless `nan`, `ValueError` for NaN and infinities. The text is
    that of `json.dumps`; where the interpreter has no compiled encoder, `json` itself makes it.
    """
    plain = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=ascii_only, allow_nan=nan)
    make = getattr(encoder, "c_make_encoder", None)
    if make is None:
        return plain.encode
    quote = encoder.encode_basestring_ascii if ascii_only else encoder.encode_basestring
    chunks = make(None, plain.default, quote, None, ":", ",", True, False, nan)
    join = "".join
    return lambda value: join(chunks(value, 0))


_read = json.JSONDecoder().raw_decode


def decode(text: bytes | bytearray | memoryview | str) -> Any:
    """The value of a JSON text that PostgreSQL printed: no white space around it. Otherwise like `json.loads`."""
    return _read(text if isinstance(text, str) else str(text, "utf-8"))[0]
