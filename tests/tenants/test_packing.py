"""Arrays as the driver would send them, packed a column at a time."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given as cases
from hypothesis import settings
from hypothesis import strategies as st

from tenants.packing import KINDS
from tenants.scope import scope_of
from tenants.sql import arrays, fetch, given

TEXTS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=20)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "bytea": st.binary(max_size=40),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "smallint": st.integers(-(2**15), 2**15 - 1),
    "int": st.integers(-(2**31), 2**31 - 1),
    "text": TEXTS,
    "timestamptz": st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),
    "uuid": st.uuids(),
}


@pytest.mark.parametrize("kind", sorted(VALUES))
@settings(max_examples=40)
@cases(data=st.data())
def test_what_is_packed_comes_back(kind: str, data: Any) -> None:
    values = data.draw(st.lists(st.none() | VALUES[kind], max_size=30))

    assert round_trip(values, kind) == values


def test_json_travels_in_its_binary_format() -> None:
    values = ['{"a":[1,2.5,null,"é"]}', "{}", None, '"x"']

    assert round_trip(values, "jsonb") == [{"a": [1, 2.5, None, "é"]}, {}, None, "x"]


def test_every_kind_is_tried() -> None:
    assert KINDS.keys() == VALUES.keys() | {"jsonb"}


def test_times_keep_their_instant_in_any_zone() -> None:
    there = datetime(2026, 3, 29, 2, 30, tzinfo=UTC).astimezone()

    assert round_trip([there, there + timedelta(microseconds=1)], "timestamptz") == [
        there,
        there + timedelta(microseconds=1),
    ]


def test_a_text_id_may_stand_for_an_id() -> None:
    id_ = UUID(int=7)

    assert round_trip([str(id_)], "uuid") == [id_]


def round_trip(values: list[Any], kind: str) -> list[Any]:
    columns = {"value": kind}
    with scope_of([]):
        rows = fetch(
            f"SELECT value FROM {given(columns, 'position')} ORDER BY position",  # noqa: S608
            arrays([(value,) for value in values], columns),
        )
    return [bytes(value) if kind == "bytea" and value is not None else value for (value,) in rows]
