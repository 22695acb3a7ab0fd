"""From the text of a definition to plain values: YAML or JSON, both no more powerful than JSON."""

from typing import Any, Literal

from chimeway_py.api.json_gate import read_json
from chimeway_py.errors import fault
from workflows.definitions.errors import InvalidDefinition
from workflows.definitions.yaml_reader import read_yaml

MOST_BYTES = 256 * 1024
Form = Literal["yaml", "json"]


def load(source: bytes, form: Form) -> dict[str, Any]:
    """The document in `source`, not yet validated. Raises `Invalid` that names the place of what cannot be accepted.

    Refused: more than 256 kB, nesting beyond 32, repeated keys, aliases and tags of YAML, NUL, text that is not UTF-8,
    numbers beyond 64 bits. Words such as `yes` and `on`, dates and times of day are text, as in YAML 1.2.
    """
    if len(source) > MOST_BYTES:
        message = f"A definition has at most {MOST_BYTES // 1024} kB; this one has {len(source) // 1024}."
        raise InvalidDefinition("The definition is too large.", [fault("", "size", message)])
    return read_json(source) if form == "json" else read_yaml(source)


def form_of(name: str) -> Form | None:
    """The form that a file name or media type tells of, or None when it tells of neither."""
    ending = name.lower().split(";")[0].strip().replace("/", ".").replace("+", ".").rsplit(".", 1)[-1]
    return {"yaml": "yaml", "yml": "yaml", "x-yaml": "yaml", "json": "json"}.get(ending)  # type: ignore[return-value]
