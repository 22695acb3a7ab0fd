"""Intake: all or none, one receipt per signal, the same signal once for ever."""

import itertools
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import hypothesis.strategies as st
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given

from chimeway_py.errors import Invalid
from signals_app.models import Payload, Signal, SignalKey
from signals_app.services import (
    NewSignal,
    Receipt,
    SignalConflict,
    accept_signals,
    load_payloads,
    store_payloads,
)
from signals_app.services.new_signal import NAME, check_signals
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tenants.vault import vault_of
from tests.statements import note_statements


def signal(external_id: str, **given: Any) -> NewSignal:
    return NewSignal(**({"name": "invoice.paid", "external_id": external_id} | given))


def rows(tenant: Tenant) -> list[Signal]:
    with tenant_scope(tenant.pk):
        return list(Signal.objects.filter(tenant_id=tenant.pk).order_by("id"))


def test_a_signal_is_stored_with_its_payload_and_keys(tenant: Tenant) -> None:
    at = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    given = signal(
        "e1", subject="u1", correlation={"inv": 7, "vip": True, "x": "y"}, data={"b": 1, "a": 2}, occurred_at=at
    )

    (receipt,) = accept_signals(tenant_id=tenant.pk, signals=[given])

    (row,) = rows(tenant)
    assert (receipt.public_id, receipt.external_id, receipt.status) == (row.public_id, "e1", "accepted")
    assert (row.subject, row.occurred_at, row.source) == ("u1", at, "api")
    assert row.correlation == {"inv": "7", "vip": "true", "x": "y"}
    assert (row.routed_at, row.verdict) == (None, None)
    with tenant_scope(tenant.pk):
        assert load_payloads(tenant.pk, [row.payload_sha]) == {bytes(row.payload_sha): {"a": 2, "b": 1}}
        keys = SignalKey.objects.order_by("id").values_list("name", "key")
        assert list(keys) == [("invoice.paid", key) for key in ("@subject=u1", "inv=7", "vip=true", "x=y")]


def test_ids_follow_the_order_of_the_batch(tenant: Tenant) -> None:
    accept_signals(tenant_id=tenant.pk, signals=[signal(name) for name in "dacb"])

    assert [row.external_id for row in rows(tenant)] == list("dacb")


def test_the_same_signal_gets_the_first_receipt_and_is_counted(tenant: Tenant) -> None:
    (first,) = accept_signals(tenant_id=tenant.pk, signals=[signal("e1", data={"a": 1, "b": 2})])

    (again,) = accept_signals(tenant_id=tenant.pk, signals=[signal("e1", data={"b": 2, "a": 1})])

    assert (again.public_id, again.received_at, again.status) == (first.public_id, first.received_at, "duplicate")
    (row,) = rows(tenant)
    assert row.duplicate_count == 1
    assert row.last_duplicate_at > row.received_at


@pytest.mark.parametrize(
    "other",
    [
        {"data": {"a": 2}},
        {"subject": "someone else"},
        {"name": "invoice.voided"},
        {"correlation": {"x": "y"}},
        {"occurred_at": datetime(2026, 1, 1, tzinfo=UTC)},
    ],
)
def test_the_same_id_with_another_body_is_a_conflict_and_nothing_is_written(
    tenant: Tenant, other: dict[str, Any]
) -> None:
    accept_signals(tenant_id=tenant.pk, signals=[signal("e1", data={"a": 1})])

    with pytest.raises(SignalConflict) as refused:
        accept_signals(tenant_id=tenant.pk, signals=[signal("new"), signal("e1", **({"data": {"a": 1}} | other))])

    assert refused.value.detail == [{"index": 1, "external_id": "e1"}]
    assert [(row.external_id, row.duplicate_count) for row in rows(tenant)] == [("e1", 0)]


def test_the_same_id_of_two_sources_or_two_tenants_is_two_signals(tenant: Tenant, other_tenant: Tenant) -> None:
    answers = [
        accept_signals(tenant_id=tenant.pk, signals=[signal("e1"), signal("e1", source="stripe")]),
        accept_signals(tenant_id=other_tenant.pk, signals=[signal("e1")]),
    ]

    assert {receipt.status for receipts in answers for receipt in receipts} == {"accepted"}


def test_a_signal_twice_in_one_batch_is_accepted_once(tenant: Tenant) -> None:
    receipts = accept_signals(tenant_id=tenant.pk, signals=[signal("e1"), signal("e2"), signal("e1")])

    assert [receipt.status for receipt in receipts] == ["accepted", "accepted", "duplicate"]
    assert receipts[0].public_id == receipts[2].public_id
    assert [row.duplicate_count for row in rows(tenant)] == [1, 0]


def test_one_id_with_two_bodies_in_one_batch_is_a_conflict(tenant: Tenant) -> None:
    with pytest.raises(SignalConflict) as refused:
        accept_signals(tenant_id=tenant.pk, signals=[signal("e1"), signal("e1", subject="x")])

    assert refused.value.detail == [{"index": 1, "external_id": "e1"}]
    assert rows(tenant) == []


def test_without_an_id_every_signal_is_a_new_one(tenant: Tenant) -> None:
    receipts = accept_signals(tenant_id=tenant.pk, signals=[signal(""), signal("")])

    assert len({receipt.external_id for receipt in receipts}) == 2


def test_a_fault_names_its_signal_and_nothing_is_written(tenant: Tenant) -> None:
    with pytest.raises(Invalid) as refused:
        accept_signals(tenant_id=tenant.pk, signals=[signal("e1"), signal("e2", name="No"), signal("e3", subject="\0")])

    assert [found["path"] for found in refused.value.detail] == ["/1/name", "/2/subject"]
    assert rows(tenant) == []


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"name": ""}, "/name"),
        ({"name": "a\n"}, "/name"),  # `$` would admit it
        ({"name": "Invoice.paid"}, "/name"),
        ({"name": "invoice..paid"}, "/name"),
        ({"name": ".a"}, "/name"),
        ({"name": "ｉnvoice"}, "/name"),  # full width
        ({"name": "invоice"}, "/name"),  # a Cyrillic о
        ({"name": "in\u200bvoice"}, "/name"),  # zero width
        ({"name": "\u202einvoice"}, "/name"),  # right to left
        ({"name": "a" * 101}, "/name"),
        ({"subject": "x" * 201}, "/subject"),
        ({"subject": "\ud800"}, "/subject"),
        ({"external_id": "x" * 201}, "/external_id"),
        ({"external_id": "a\0"}, "/external_id"),
        ({"correlation": {"Bad": "x"}}, "/correlation"),
        ({"correlation": {"": "x"}}, "/correlation"),
        ({"correlation": {"a" * 51: "x"}}, "/correlation"),
        ({"correlation": {"a": ""}}, "/correlation/a"),
        ({"correlation": {"a": "x" * 201}}, "/correlation/a"),
        ({"correlation": {"a": 1.5}}, "/correlation/a"),
        ({"correlation": {"a": None}}, "/correlation/a"),
        ({"correlation": {"a": ["x"]}}, "/correlation/a"),
        ({"correlation": {"a": "\0"}}, "/correlation/a"),
        ({"correlation": {f"a{n}": "x" for n in range(9)}}, "/correlation"),
        ({"data": {"a": float("nan")}}, "/data"),
        ({"data": {"a": "\0"}}, "/data"),
        ({"data": {"a\0": 1}}, "/data"),
        ({"data": {"a": "\udc00"}}, "/data"),
        ({"data": {"a": object()}}, "/data"),
        ({"data": {"a": "x" * 1024 * 1024}}, "/data"),
        ({"occurred_at": datetime(2026, 1, 1)}, "/occurred_at"),
    ],
)
def test_what_cannot_be_stored_or_matched_is_refused(tenant: Tenant, wrong: dict[str, Any], path: str) -> None:
    with pytest.raises(Invalid) as refused:
        accept_signals(tenant_id=tenant.pk, signals=[signal(**({"external_id": "e1"} | wrong))])

    assert [found["path"] for found in refused.value.detail] == [f"/0{path}"]


def test_an_escaped_backslash_is_not_a_nul(tenant: Tenant) -> None:
    data = {"path": r"C:\u0000"}

    accept_signals(tenant_id=tenant.pk, signals=[signal("e1", data=data)])

    with tenant_scope(tenant.pk):
        assert list(load_payloads(tenant.pk, [rows(tenant)[0].payload_sha]).values()) == [data]


@given(st.text(max_size=12))
def test_a_name_is_lower_case_ascii_words_joined_by_dots(name: str) -> None:
    try:
        check_signals([NewSignal(name)])
    except Invalid:
        assert not NAME.fullmatch(name)
    else:
        assert all(word and set(word) <= set("abcdefghijklmnopqrstuvwxyz0123456789_") for word in name.split("."))


def test_equal_payloads_are_stored_once(tenant: Tenant, other_tenant: Tenant) -> None:
    for owner in (tenant, other_tenant):
        accept_signals(tenant_id=owner.pk, signals=[signal(str(n), data={"same": True}) for n in range(5)])

        with tenant_scope(owner.pk):
            assert Payload.objects.count() == 1
            assert store_payloads(owner.pk, [{"same": True}]) == {
                bytes(payload.address): payload.pk for payload in Payload.objects.all()
            }


def test_a_signal_without_data_has_no_payload(tenant: Tenant) -> None:
    accept_signals(tenant_id=tenant.pk, signals=[signal("e1")])

    assert rows(tenant)[0].payload_sha is None


def test_a_thousand_signals_take_as_few_statements_as_one(tenant: Tenant) -> None:
    vault_of(tenant.pk)  # its keys are read once a minute
    counts = []
    for size in (1, 1000):
        given = [signal(f"{size}-{n}", subject="u", data={"n": f"{size}-{n}"}) for n in range(size)]
        with CaptureQueriesContext(connection) as captured:
            accept_signals(tenant_id=tenant.pk, signals=given)
        counts.append(len(captured))

    assert counts[0] == counts[1]
    assert counts[0] <= 7  # begin, scope, payloads, signals, keys, and what the transaction needs


def test_a_signal_that_can_meet_nothing_is_committed_in_one_trip(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault_of(tenant.pk)
    accept_signals(tenant_id=tenant.pk, signals=[signal("", subject="u")])
    said: list[str] = []
    note_statements(monkeypatch, said)

    [receipt] = accept_signals(tenant_id=tenant.pk, signals=[signal("", subject="u", correlation={"a": "1"})])

    assert [text.split()[0] for text in said] == ["SELECT", "INSERT", "INSERT"]  # the scope, the signal, its keys
    assert rows(tenant)[-1].public_id == receipt.public_id
    with tenant_scope(tenant.pk):
        keys = SignalKey.objects.filter(signal__public_id=receipt.public_id).order_by("key")
        assert [key.key for key in keys] == ["@subject=u", "a=1"]


def test_in_a_transaction_of_its_caller_it_goes_with_it(tenant: Tenant) -> None:
    with tenant_scope(tenant.pk):
        accept_signals(tenant_id=tenant.pk, signals=[signal("", subject="u")])
        transaction.set_rollback(True)

    assert rows(tenant) == []


def test_fifty_at_once_are_one_signal(tenant: Tenant, together: Callable[..., list[Any]]) -> None:
    answers = together(*[lambda: accept_signals(tenant_id=tenant.pk, signals=[signal("e1", data={"a": 1})])] * 50)

    receipts: list[Receipt] = list(itertools.chain.from_iterable(answers))
    assert sorted(receipt.status for receipt in receipts) == ["accepted"] + ["duplicate"] * 49
    assert len({(receipt.public_id, receipt.received_at) for receipt in receipts}) == 1
    (row,) = rows(tenant)
    assert row.duplicate_count == 49


@pytest.mark.parametrize("data", [{}, {"x": 1}])  # without a payload, nothing else puts the batches in a row
def test_batches_that_share_signals_in_any_order_do_not_deadlock(
    tenant: Tenant, together: Callable[..., list[Any]], data: dict[str, Any]
) -> None:
    shuffle = random.Random(4711)
    for turn in range(10):
        batch = [signal(f"{turn}-{n}", data=data and data | {"turn": turn, "n": n}) for n in range(20)]
        orders = [shuffle.sample(batch, len(batch)) for _ in range(4)]

        answers = together(
            *[lambda order=order: accept_signals(tenant_id=tenant.pk, signals=order) for order in orders]
        )

        statuses = [receipt.status for receipts in answers for receipt in receipts]
        assert statuses.count("accepted") == 20
    assert len(rows(tenant)) == 200
    assert {row.duplicate_count for row in rows(tenant)} == {3}


def test_intake_joins_the_transaction_of_its_caller(tenant: Tenant) -> None:
    with tenant_scope(tenant.pk):
        accept_signals(tenant_id=tenant.pk, signals=[signal("e1")])
        transaction.set_rollback(True)

    assert rows(tenant) == []
