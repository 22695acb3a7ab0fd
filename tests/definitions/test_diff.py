import pytest

from tests.definitions.documents import GRACE, LAST, TELL, document
from workflows.definitions.checksum import checksum
from workflows.definitions.diff import Change, diff


def test_the_same_document_has_no_changes() -> None:
    assert diff(document(), document()) == []


def test_changes_are_told_step_by_step() -> None:
    before = document(TELL, GRACE, LAST)
    after = document(TELL | {"name": "Tell"}, GRACE | {"for": "P3D"}, deadline="P9D")

    assert diff(before, after) == [
        Change("/deadline", "added", after="P9D"),
        Change("/steps/tell/name", "added", after="Tell"),
        Change("/steps/grace/for", "changed", "P2D", "P3D"),
        Change("/steps/last", "removed", before=LAST),
    ]


def test_a_step_put_before_the_others_moves_none_of_them() -> None:
    assert diff(document(TELL, GRACE), document(LAST, TELL, GRACE)) == [Change("/steps/last", "added", after=LAST)]


def test_steps_that_changed_places_are_moved() -> None:
    assert diff(document(TELL, GRACE, LAST), document(TELL, LAST, GRACE)) == [
        Change("/steps/last", "moved", 3, 2),
        Change("/steps/grace", "moved", 2, 3),
    ]


def test_true_is_not_one() -> None:
    assert len(diff(document(data_schema={"const": 1}), document(data_schema={"const": True}))) == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1e16}, {"a": 10**16}, True),  # PostgreSQL gives the one back for the other
        ({"a": 1.5}, {"a": 1}, False),
        ({"a": True}, {"a": 1}, False),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"a": "é"}, {"a": "e\u0301"}, False),
    ],
)
def test_checksums(one: dict[str, object], other: dict[str, object], same: bool) -> None:
    assert (checksum(one) == checksum(other)) is same
