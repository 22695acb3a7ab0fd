"""Members that nobody may set, in every body that the OpenAPI document tells of: refused by their path, or unread."""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.db import connection

from chimeway_py.schema import document
from tenants.scope import tenant_scope
from tests.api.members import PARTS, WRITES, Schema, bodies, found
from tests.api.rich import Party, make_party
from tests.api.test_tenancy_sweep import TABLES, contents
from workflows.definitions.schema import document_schema

Place = tuple[str, ...]
ROWS = ("tenant", "tenant_id", "id", "pk", "public_id", "state", "status", "seq", "revision", "fence", "created_at")
"""What rows have, and no body says unless it is told in the document."""
ALL = "SELECT t::text FROM {0} t WHERE tenant_id = {1}"
VALUE = 424242424242
FOREIGN = {"/hooks/{public_id}", "/hooks/providers/{public_id}"}
"""The bodies of others' systems: only what a mapping or a provider names is read of them."""
DOCUMENTS = {"/v1/definitions", "/v1/definitions/{key}", "/v1/definitions/validate"}
"""Definitions: their own schema tells what they may say, and `STEPS` walks it."""
NEEDED = {"post /v1/runs": {"workflow": "nobody_has_this"}}
"""What a body must say for its inner members to be read at all."""
SHOWN = {name for shape in document()["components"]["schemas"].values() for name in shape.get("properties", {})}
"""Every member that any answer has: what is shown looks as though it could be set."""
NAMES = dict.fromkeys(("public_id", "delivery", "item"), str(uuid.UUID(int=7))) | dict.fromkeys(
    ("key", "external_id", "subject", "kind", "what"), "nobody_has_this"
)


def closed(schema: Schema, root: Schema, at: Place = ()) -> Iterator[tuple[Place, set[str]]]:
    """(place, members) of each object of a body that has members of its own."""
    while "$ref" in schema:
        schema = found(root, schema["$ref"])
    for word in ("oneOf", "anyOf", "allOf"):
        for form in schema.get(word, ()):
            yield from closed(form, root, at)
    if schema.get("type") == "array":
        yield from closed(schema["items"], root, (*at, "[]"))
    if members := schema.get("properties"):
        yield at, {*members}
        for name, member in members.items():
            yield from closed(member, root, (*at, name))


def said_at(place: Place, forbidden: Mapping[str, Any]) -> Any:
    """The smallest body that says what is forbidden at that place."""
    body: Any = dict(forbidden)
    for name in reversed(place):
        body = [body] if name == "[]" else {name: body}
    return body


def paths(answer: Any) -> set[str]:
    """The paths that a refusal names."""
    assert answer.status_code == 400, answer.content
    return {one["path"] for one in answer.json()["detail"]}


def pointers(place: Place, names: set[str]) -> set[str]:
    """Where each name stands in such a body."""
    at = "".join("/0" if name == "[]" else f"/{name}" for name in place)
    return {f"{at}/{name}" for name in names}


TAKING = [
    (asked, place, members)
    for asked, kind, schema in bodies()
    if kind == "application/json" and asked.split()[1] not in FOREIGN | DOCUMENTS
    for place, members in closed(schema, document())
]
UNREAD = [
    f"{verb} {path}"
    for path, verbs in document()["paths"].items()
    for verb in (*WRITES, "delete")
    if verb in verbs and "requestBody" not in verbs[verb]
]
SCHEMA = document_schema()
STEPS = {name: part["properties"].keys() for name, part in SCHEMA["$defs"].items() if name.startswith(PARTS)}


@pytest.fixture(scope="module")
def asker() -> Party:
    """Who says more than it may."""
    return make_party("mine")


@pytest.mark.parametrize(
    ("asked", "place", "members"), TAKING, ids=lambda one: "" if isinstance(one, set) else str(one)
)
def test_a_member_that_nobody_may_set_is_refused_by_its_path(
    asked: str, place: Place, members: set[str], asker: Party
) -> None:
    verb, path = asked.split()
    forbidden = {*ROWS, *SHOWN} - members
    before = contents(asker.tenant)

    answer = asker.ask(
        verb, path.format(**NAMES), NEEDED.get(asked, {}) | said_at(place, dict.fromkeys(forbidden, VALUE))
    )

    assert paths(answer) >= pointers(place, forbidden)
    assert contents(asker.tenant) == before


@pytest.mark.parametrize("part", sorted(STEPS))
def test_a_step_has_no_other_keys(part: str, asker: Party) -> None:
    form, _, kind = part.partition("_")
    forbidden = {*ROWS} - STEPS[part]
    said = {"kind": kind, **dict.fromkeys(forbidden, VALUE)}
    step = {"key": "one"} | (said if form == "step" else {"kind": "http", "compensate": said})
    before = contents(asker.tenant)

    answer = asker.ask("post", "/v1/definitions", {"key": "mine_too", "steps": [step], **dict.fromkeys(ROWS, VALUE)})

    place = ("steps", "[]") if form == "step" else ("steps", "[]", "compensate")
    assert paths(answer) >= pointers(place, forbidden) | pointers((), {*ROWS})
    assert contents(asker.tenant) == before


def test_where_no_body_is_read_none_is_heeded(asker: Party) -> None:
    neighbour = make_party("theirs")
    forbidden = dict.fromkeys({*ROWS, *SHOWN}, VALUE) | {"tenant": neighbour.tenant.pk}
    before = contents(neighbour.tenant)

    answers = {asked: asker.ask(*address(asked, asker), forbidden) for asked in UNREAD}

    assert {asked: answer.content for asked, answer in answers.items() if answer.status_code >= 500} == {}
    assert {answer.status_code for answer in answers.values()} & {200, 201, 204}
    assert str(VALUE) not in told(asker)
    assert contents(neighbour.tenant) == before


def address(asked: str, asker: Party) -> tuple[str, str]:
    """The verb, and the path with names of objects that are there, as far as `asker` has them."""
    verb, path = asked.split()
    kind = path.split("/")[2].removesuffix("s").rpartition("-")[2].replace("categorie", "category")
    mine = {"public_id": asker.names.get(kind, NAMES["public_id"]), "key": asker.names.get(kind, NAMES["key"])}
    own = {"item": asker.names["item"], "subject": asker.names["recipient"], "version": 2, "position": 1}
    return verb, path.format(**NAMES | mine | own)


def told(party: Party) -> str:
    """All that the rows of a tenant say."""
    with tenant_scope(party.tenant.pk), connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(ALL.format(table, party.tenant.pk) for table in TABLES))
        return "".join(row for (row,) in cursor)
