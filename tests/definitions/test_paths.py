from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.definitions.documents import json_values
from workflows.definitions.paths import MISSING, RUN_ROOTS, SIGNAL_ROOTS, is_path, lookup, path_fault

FACTS = {"data": {"items": [{"sku": "a"}, {"sku": "b"}], "0": "zero", "name": None}, "run": {"subject": "u1"}}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("data.items.1.sku", "b"),
        ("data.0", "zero"),  # a number is a key where it stands in an object
        ("data.name", None),
        ("data.items.2.sku", MISSING),
        ("data.items.-1", MISSING),
        ("data.items.９", MISSING),
        ("data.items.first", MISSING),
        ("data.name.first", MISSING),
        ("data..name", MISSING),
        ("run.subject.0", MISSING),  # a text is not a list of letters
        ("", MISSING),
    ],
)
def test_lookup(path: str, value: Any) -> None:
    assert lookup(FACTS, path) == value


@given(st.dictionaries(st.text(), json_values), st.text())
def test_lookup_never_raises(facts: dict[str, Any], path: str) -> None:
    lookup(facts, path)


@pytest.mark.parametrize("text", ["Europe/Berlin", "2027-01-31T09:00:00Z", "data", "UTC", "customer.id", "data.a\n", 3])
def test_literals_are_no_paths(text: Any) -> None:
    assert not is_path(text)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("customer_id", "dotted"),
        ("data.customer id", "dotted"),
        ("data.a\n", "dotted"),
        ("signal.data.x", "starts with data or run"),
        ("run.tenant", "There is no run.tenant"),
        ("run.correlation.order_id", "not declared"),
        ("run.correlation", "not declared"),
        ("data." + ".".join("abcdefghijklmnopq"), "at most 16"),
        ("data." + "a" * 300, "dotted"),
        (None, "dotted"),
    ],
)
def test_faults_of_paths(path: Any, says: str) -> None:
    assert says in (path_fault(path, RUN_ROOTS, {"invoice_id"}) or "")


def test_a_good_path_has_no_fault() -> None:
    assert path_fault("run.correlation.invoice_id", RUN_ROOTS, {"invoice_id"}) is None
    assert path_fault("run.correlation.anything", RUN_ROOTS) is None
    assert path_fault("signal.data.amount", SIGNAL_ROOTS) is None
