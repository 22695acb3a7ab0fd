"""Signed webhooks over HTTP: verified, mapped, accepted once; refused alike for whoever asks, counted for operators."""

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from signals_app.models import Signal, SignalSource
from signals_app.services.sources import change_source, rotate_secret
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.api.poison import BODIES, Poison
from tests.signals.conftest import Post, secret_of
from tests.signals.signing import SIGNERS, github, whsec

EVENT = {"id": "evt_1", "type": "invoice.paid", "customer": "u1", "invoice": "in_1"}
NewSource = Callable[..., SignalSource]


def signals(tenant: Tenant) -> list[Signal]:
    with tenant_scope(tenant.pk):
        return list(Signal.objects.order_by("id"))


def refreshed(source: SignalSource) -> SignalSource:
    with tenant_scope(source.tenant_id):
        return SignalSource.objects.get(id=source.pk)


@pytest.mark.parametrize("scheme", sorted(SIGNERS))
def test_a_signed_webhook_becomes_a_signal(tenant: Tenant, new_source: NewSource, post_hook: Post, scheme: str) -> None:
    answer = post_hook(new_source(tenant, scheme=scheme), EVENT)

    assert answer.status_code == 202
    assert answer.json().keys() == {"id", "external_id", "status", "received_at"}
    (signal,) = signals(tenant)
    assert (signal.name, signal.subject, signal.source, signal.external_id) == (
        "invoice.paid",
        "u1",
        "billing",
        "evt_1",
    )
    assert signal.correlation == {"invoice_id": "in_1"}


def test_a_replay_inside_the_window_gets_the_first_receipt(
    tenant: Tenant, new_source: NewSource, post_hook: Post
) -> None:
    source = new_source(tenant)
    first = post_hook(source, EVENT)

    again = post_hook(source, EVENT)

    assert again.status_code == 200
    assert again.json() == first.json() | {"status": "duplicate"}
    assert len(signals(tenant)) == 1


def test_a_replay_after_a_year_has_no_effect(tenant: Tenant, new_source: NewSource, post_hook: Post) -> None:
    """GitHub signs no time, so only the id stands between a replay and a second signal."""
    source = new_source(tenant, scheme="github", mapping={"name": "type"})
    headers = github(secret_of(source), b'{"type":"a"}', datetime.now(UTC))
    first = post_hook(source, b'{"type":"a"}', headers=headers)
    with tenant_scope(tenant.pk) as scope:
        Signal.objects.update(received_at=scope.now - timedelta(days=365), routed_at=scope.now)

    again = post_hook(source, b'{"type":"a"}', headers=headers)

    assert (first.status_code, again.status_code) == (202, 200)
    assert len(signals(tenant)) == 1


def test_the_same_id_with_another_body_is_a_conflict(tenant: Tenant, new_source: NewSource, post_hook: Post) -> None:
    source = new_source(tenant)
    post_hook(source, EVENT)

    answer = post_hook(source, EVENT | {"customer": "u2"})

    assert (answer.status_code, answer.json()["code"]) == (409, "signal_conflict")
    assert [signal.subject for signal in signals(tenant)] == ["u1"]
    assert refreshed(source).last_rejected_reason == "signal_conflict"


def test_every_bad_signature_is_one_401_for_the_sender_and_a_part_for_the_operator(
    tenant: Tenant, other_tenant: Tenant, new_source: NewSource, post_hook: Post
) -> None:
    source, theirs = new_source(tenant), new_source(other_tenant)
    raw = b'{"id":"evt_1","type":"a"}'
    posted = [
        (post_hook(source, raw, headers={}), "webhook-id", "missing"),
        (post_hook(source, raw, secret=whsec(b"wrong")), "webhook-signature", "no signature matches"),
        (post_hook(source, raw, secret=secret_of(theirs)), "webhook-signature", "no signature matches"),
        (post_hook(source, raw, sent=raw + b" "), "webhook-signature", "no signature matches"),
        (post_hook(source, raw, ago=timedelta(seconds=310)), "webhook-timestamp", "timestamp too old"),
        (post_hook(source, raw, ago=-timedelta(seconds=310)), "webhook-timestamp", "timestamp in the future"),
        (
            post_hook(source, raw, headers={"webhook-id": "é", "webhook-signature": "\xff"}),
            "webhook-timestamp",
            "missing",
        ),
    ]

    answers = [{**answer.json(), "request_id": ""} for answer, _, _ in posted]
    assert {answer.status_code for answer, _, _ in posted} == {401}
    assert all(answer == answers[0] for answer in answers)
    assert "webhook" not in answers[0]["message"]
    assert signals(tenant) == []
    kept = refreshed(source)
    assert kept.rejected_count == len(posted)
    assert (kept.last_rejected_part, kept.last_rejected_reason) == posted[-1][1:]
    assert kept.last_rejected_at is not None
    assert refreshed(theirs).rejected_count == 0


@pytest.mark.parametrize(
    ("changes", "part", "reason"),
    [
        ({"webhook-timestamp": "1"}, "webhook-timestamp", "timestamp too old"),
        ({"webhook-signature": "v2,x"}, "webhook-signature", "no v1 signature"),
    ],
)
def test_the_operator_sees_which_part_failed(
    tenant: Tenant, new_source: NewSource, post_hook: Post, changes: dict[str, str], part: str, reason: str
) -> None:
    source = new_source(tenant)
    headers = {"webhook-id": "m", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1,x"} | changes

    assert post_hook(source, EVENT, headers=headers).status_code == 401

    kept = refreshed(source)
    assert (kept.last_rejected_part, kept.last_rejected_reason) == (part, reason)


def test_rotation_has_no_gap(tenant: Tenant, new_source: NewSource, post_hook: Post) -> None:
    source = new_source(tenant)
    old = secret_of(source)

    new = rotate_secret(tenant_id=tenant.pk, public_id=source.public_id, overlap=timedelta(hours=1)).secret
    during = [post_hook(source, EVENT | {"id": f"n{n}"}, secret=one).status_code for n, one in enumerate((old, new))]
    last = rotate_secret(tenant_id=tenant.pk, public_id=source.public_id, overlap=timedelta(0)).secret
    after = [post_hook(source, EVENT | {"id": "x"}, secret=secret).status_code for secret in (old, new, last)]

    assert during == [202, 202]
    assert after == [401, 401, 202]


@pytest.mark.parametrize("poison", BODIES, ids=str)
def test_a_signed_poison_body_is_400_and_names_the_path(
    tenant: Tenant, new_source: NewSource, post_hook: Post, poison: Poison
) -> None:
    source = new_source(tenant, scheme="github")  # its signature can be made over any bytes

    answer = post_hook(source, poison.body)

    assert answer.status_code == 400
    assert (answer.json()["detail"][0]["path"], answer.json()["detail"][0]["code"]) == (poison.path, poison.code)
    assert signals(tenant) == []
    assert refreshed(source).last_rejected_part == "body"


def test_a_signed_body_of_another_charset_is_400(tenant: Tenant, new_source: NewSource, post_hook: Post) -> None:
    source = new_source(tenant, scheme="github")

    answer = post_hook(source, EVENT, content_type="application/json; charset=utf-16")

    assert (answer.status_code, answer.json()["detail"][0]["code"]) == (400, "bad_charset")
    assert signals(tenant) == []
    assert refreshed(source).last_rejected_part == "body"


def test_an_unsigned_poison_body_is_never_parsed(tenant: Tenant, new_source: NewSource, post_hook: Post) -> None:
    answer = post_hook(new_source(tenant), b"[" * 1_000_000, headers={})

    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("changes", "path", "code"),
    [
        ({"type": None}, "/type", "missing"),
        ({"type": "Not A Name"}, "/type", "bad_name"),
        ({"customer": {"id": 1}}, "/customer", "bad_type"),
        ({"customer": "x" * 201}, "/customer", "bad_subject"),
        ({"invoice": "x" * 201}, "/invoice", "bad_value"),
        ({"id": ""}, "/id", "missing"),
        ({"id": "x" * 201}, "/id", "bad_id"),
    ],
)
def test_a_body_that_does_not_fit_its_mapping_is_400_in_the_senders_own_paths(
    tenant: Tenant, new_source: NewSource, post_hook: Post, changes: dict[str, Any], path: str, code: str
) -> None:
    source = new_source(tenant)

    answer = post_hook(source, EVENT | changes)

    assert answer.status_code == 400
    assert [(found["path"], found["code"]) for found in answer.json()["detail"]] == [(path, code)]
    assert refreshed(source).last_rejected_reason == f"{code} at {path}"


def test_a_source_that_is_not_there_is_404(tenant: Tenant, new_source: NewSource, post_hook: Post) -> None:
    source = new_source(tenant)
    nobody = SignalSource(public_id=uuid.uuid4(), scheme=source.scheme)
    change_source(tenant_id=tenant.pk, public_id=source.public_id, changes={"enabled": False})

    answers = [post_hook(nobody, EVENT, secret=secret_of(source)), post_hook(source, EVENT)]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert {**answers[0].json(), "request_id": ""} == {**answers[1].json(), "request_id": ""}
    assert refreshed(source).last_rejected_reason == "disabled"


def test_a_source_of_a_suspended_tenant_is_404(tenant: Tenant, new_source: NewSource, post_hook: Post) -> None:
    source = new_source(tenant)
    with tenant_scope(tenant.pk) as scope:
        Tenant.objects.filter(id=tenant.pk).update(suspended_at=scope.now)

    assert post_hook(source, EVENT).status_code == 404


def test_one_id_at_two_sources_and_two_tenants_is_independent(
    tenant: Tenant, other_tenant: Tenant, new_source: NewSource, post_hook: Post
) -> None:
    sources = [new_source(tenant), new_source(tenant, key="crm"), new_source(other_tenant)]

    assert [post_hook(source, EVENT).status_code for source in sources] == [202, 202, 202]


def test_fifty_posts_at_once_are_one_signal(
    tenant: Tenant, new_source: NewSource, post_hook: Post, together: Callable[..., list[Any]]
) -> None:
    source = new_source(tenant)

    answers = together(*[lambda: post_hook(source, EVENT)] * 50)

    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [202]
    assert len({(answer.json()["id"], answer.json()["received_at"]) for answer in answers}) == 1
    assert len(signals(tenant)) == 1


def test_a_hook_answers_posts_only(tenant: Tenant, new_source: NewSource) -> None:
    answer = APIClient().get(f"/hooks/{new_source(tenant).public_id}")

    assert (answer.status_code, answer["Allow"]) == (405, "POST")
