"""A document as YAML for people: keys in the order of the schema, long texts as blocks. `read_yaml` reads it back."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from workflows.definitions.schema import document_schema
from workflows.definitions.yaml_reader import LIKE_A_NUMBER


def write_yaml(document: Mapping[str, Any]) -> str:
    """The YAML of a document that has steps."""
    schema = document_schema()
    ordered = _in_order(document, schema["properties"])
    ordered["steps"] = [_in_order(step, _step_keys(schema, step)) for step in document["steps"]]
    return yaml.dump(ordered, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


_BREAKS = re.compile("[\r\x85\u2028\u2029]")


class _Dumper(yaml.SafeDumper):
    """Quotes what our reader would take for a number, never writes an alias, and writes lines as lines."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    if _BREAKS.search(text):  # inside other quotes these would be read back as plain line ends
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(LIKE_A_NUMBER.pattern + r"\Z"), list("-+.0123456789")
)


def _step_keys(schema: Mapping[str, Any], step: Mapping[str, Any]) -> Mapping[str, Any]:
    known = schema["$defs"].get(f"step_{step['kind']}", {})
    return known.get("properties", {})  # type: ignore[no-any-return]


def _in_order(mapping: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """The members that the schema names, in its order, then the others."""
    return {name: mapping[name] for name in (*known, *mapping) if name in mapping}
