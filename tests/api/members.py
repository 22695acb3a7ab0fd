"""Every member of every body of the OpenAPI document, and every key of a definition: what the sweeps walk."""

from collections.abc import Iterator, Mapping
from typing import Any

from chimeway_py.schema import document
from workflows.definitions.schema import document_schema

Schema = Mapping[str, Any]
WRITES = ("post", "put", "patch", "delete")
PLAIN = ("boolean", "integer", "number", "null")
FORMATS = ("date-time", "date")
SENSES = ("condition", "data_schema", "duration", "path", "target")
"""Types of a definition that lead into the run, or to a step of the same definition."""
PARTS = ("step_", "compensate_")
"""What a definition is put together from: each is walked once, by itself."""


def text_members() -> Iterator[str]:
    """`verb path place` of every member that could name an object: no number, no truth, no time, no choice of words.

    `[]` stands for each place of a list, `*` for each member of an object that takes any.
    """
    for asked, kind, schema in bodies():
        for place, leaf in walk(schema, document()):
            if could_name(leaf):
                yield f"{asked} {place}" if kind == "application/json" else f"{asked} {kind} {place}".rstrip()


def definition_members() -> Iterator[str]:
    """`part place` of every key of a definition that could name an object; parts are `definition`, `step_deliver`…"""
    root = document_schema()
    parts = {name: part for name, part in root["$defs"].items() if name.startswith(PARTS)}
    for name, part in ({"definition": root} | parts).items():
        for place, leaf in walk(part, root, senses=(*SENSES, *parts, "compensate")):
            if could_name(leaf):
                yield f"{name} {place}"


def bodies() -> Iterator[tuple[str, str, Schema]]:
    """(`verb path`, media type, schema) of every body; YAML is read as JSON is."""
    for path, verbs in document()["paths"].items():
        for verb in WRITES:
            for kind, told in verbs.get(verb, {}).get("requestBody", {}).get("content", {}).items():
                if "yaml" not in kind:
                    yield f"{verb} {path}", kind, told["schema"]


def could_name(leaf: Schema) -> bool:
    """Whether a value that fits the schema could be the id, the key or the name of something."""
    chosen = "enum" in leaf or "const" in leaf or leaf.get("format") in FORMATS
    return not chosen and leaf.get("type") not in PLAIN and "sense" not in leaf


def walk(schema: Schema, root: Schema, at: str = "", senses: tuple[str, ...] = (), above: tuple[str, ...] = ()) -> Any:
    """(place, schema) of what has no members of its own, each place once per form that it may take."""
    if ref := schema.get("$ref"):
        name = ref.rsplit("/", 1)[1]
        if name in senses or ref in above:
            yield at, {"sense": name}
            return
        yield from walk(found(root, ref), root, at, senses, (*above, ref))
        return
    forms = [form for word in ("oneOf", "anyOf", "allOf") for form in schema.get(word, ())]
    forms += [schema[word] for word in ("then", "else") if word in schema]
    for form in forms:
        yield from walk(form, root, at, senses, above)
    open_to = schema.get("additionalProperties")
    for name, member in schema.get("properties", {}).items():
        yield from walk(member, root, f"{at}.{name}".lstrip("."), senses, above)
    if open_to or (schema.get("type") == "object" and "properties" not in schema and not forms):
        yield from walk(open_to if isinstance(open_to, Mapping) else {}, root, f"{at}.*".lstrip("."), senses, above)
    if "items" in schema or schema.get("type") == "array":
        yield from walk(schema.get("items", {}), root, f"{at}[]", senses, above)
    is_leaf = not forms and schema.get("type") not in ("object", "array") and "properties" not in schema
    if is_leaf and "if" not in schema and schema.keys() != {"required"}:
        yield at, schema


def found(root: Schema, ref: str) -> Schema:
    """What a reference means."""
    for name in ref.removeprefix("#/").split("/"):
        root = root[name]
    return root
