"""A cancel by key ends what runs, and if asked what is still to come."""

import io
import re
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from chimeway_py.errors import Invalid
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import GRACE, drain, end_of, moves_of, publish, rows_of, run_of, send, start, waiting_run
from workflows.explain import explain_run
from workflows.models import StickyCancel
from workflows.services.cancel_by_key import (
    Key,
    KeyCancel,
    StickyCancelNotFound,
    cancel_by_key,
    lift_sticky_cancel,
)
from workflows.services.start import NewRun, Started, start_runs
from workflows.states import Cause

DAY = timedelta(days=1)


def withdraw(tenant: Tenant, key: Key, sticky_for: timedelta | None = DAY) -> KeyCancel:
    return cancel_by_key(
        tenant_id=tenant.pk, key=key, cause=Cause.API, cause_ref="key1", reason="withdrawn", sticky_for=sticky_for
    )


def begin(tenant: Tenant, **given: Any) -> Started:
    run = NewRun(**({"subject": "ada", "correlation": {"invoice_id": "42"}} | given))
    return start_runs(tenant_id=tenant.pk, definition_key="dunning", runs=[run])[0]


def test_what_runs_is_cancelled_at_once(tenant: Tenant) -> None:
    run_id = waiting_run(tenant, idempotency_key="k1")
    other = waiting_run(tenant, idempotency_key="k2")

    done = withdraw(tenant, Key(idempotency_key="k1"), None)

    assert [one.verdict for one in done.verdicts] == ["moved"]
    assert (run_of(tenant, run_id).state, run_of(tenant, other).state) == ("cancelled", "waiting")
    assert done.sticky is None
    assert not begin(tenant, idempotency_key="k3").cancelled


@pytest.mark.parametrize(
    "key", [Key(idempotency_key="k1"), Key(correlation={"invoice_id": "42"})], ids=["key", "value"]
)
def test_a_run_that_starts_later_is_made_and_cancelled(tenant: Tenant, key: Key) -> None:
    publish(tenant, GRACE)
    done = withdraw(tenant, key)

    started = begin(tenant, idempotency_key="k1")
    drain(tenant)

    assert (done.verdicts, started.created, started.cancelled) == ([], True, True)
    run = run_of(tenant, started.run_id)
    assert (run.state, end_of(tenant, run.pk), run.due_at) == ("cancelled", "withdrawn", None)
    assert moves_of(tenant, started.run_id) == [
        ("", "pending", "api", "created"),
        ("pending", "cancelled", "api", "cancelled_before_start"),
    ]
    said = explain_run(tenant_id=tenant.pk, public_id=run.public_id).sentence
    assert said.endswith("because a cancel had been asked for before it started (withdrawn).")
    again = begin(tenant, idempotency_key="k1")
    assert (again.run_id, again.created) == (started.run_id, False)


def test_other_runs_start_as_ever(tenant: Tenant, other_tenant: Tenant) -> None:
    publish(tenant, GRACE)
    publish(other_tenant, GRACE)
    withdraw(tenant, Key(correlation={"invoice_id": "42"}, workflow="another"))
    withdraw(tenant, Key(correlation={"invoice_id": "43"}))
    withdraw(tenant, Key(idempotency_key="invoice_id=42"))

    assert not begin(tenant).cancelled
    assert begin(tenant, correlation={"invoice_id": "43"}).cancelled
    assert not begin(other_tenant, correlation={"invoice_id": "43"}).cancelled


def test_a_run_that_a_signal_starts_is_caught_too(tenant: Tenant) -> None:
    document = GRACE | {
        "start_on": {"signal": "invoice.failed", "subject": "data.who", "correlate": {"invoice_id": "data.invoice"}},
        "correlation": [],
    }
    publish(tenant, document)
    withdraw(tenant, Key(correlation={"invoice_id": "42"}))

    send(tenant, "invoice.failed", data={"who": "ada", "invoice": "42"})
    drain(tenant)

    with tenant_scope(tenant.pk):
        from workflows.models import Run

        assert list(Run.objects.for_tenant(tenant.pk).values_list("state", flat=True)) == ["cancelled"]


def test_its_time_ends_and_it_can_be_lifted(tenant: Tenant) -> None:
    publish(tenant, GRACE)
    over = withdraw(tenant, Key(idempotency_key="k1"), timedelta(milliseconds=1)).sticky
    time.sleep(0.005)
    assert not begin(tenant, idempotency_key="k1").cancelled

    lifted = withdraw(tenant, Key(idempotency_key="k2")).sticky  # clears away what is over
    assert over is not None
    assert lifted is not None
    lift_sticky_cancel(tenant_id=tenant.pk, public_id=lifted.public_id)

    assert not begin(tenant, idempotency_key="k2").cancelled
    for gone in (over, lifted):
        with pytest.raises(StickyCancelNotFound):
            lift_sticky_cancel(tenant_id=tenant.pk, public_id=gone.public_id)


def test_asking_again_replaces_it(tenant: Tenant) -> None:
    publish(tenant, GRACE)
    first = withdraw(tenant, Key(idempotency_key="k1")).sticky

    second = withdraw(tenant, Key(idempotency_key="k1"), 2 * DAY).sticky

    assert first is not None
    assert second is not None
    assert (second.public_id, second.until > first.until) == (first.public_id, True)
    assert rows_of(tenant, [StickyCancel]) == [1]


@pytest.mark.parametrize(
    ("key", "sticky_for", "path"),
    [
        (Key(), DAY, "/idempotency_key"),
        (Key(idempotency_key="k", correlation={"a": "b"}), DAY, "/idempotency_key"),
        (Key(correlation={"a": "b", "c": "d"}), DAY, "/correlation"),
        (Key(idempotency_key="k\0"), DAY, "/idempotency_key"),
        (Key(idempotency_key="k"), timedelta(0), "/ttl"),
        (Key(idempotency_key="k"), timedelta(days=91), "/ttl"),
    ],
)
def test_a_cancel_that_means_nothing_is_refused(tenant: Tenant, key: Key, sticky_for: timedelta, path: str) -> None:
    with pytest.raises(Invalid) as refusal:
        withdraw(tenant, key, sticky_for)

    assert [fault["path"] for fault in refusal.value.detail] == [path]  # type: ignore[index,call-overload]
    assert rows_of(tenant, [StickyCancel]) == [0]


def test_start_and_cancel_at_one_instant_never_miss_each_other(
    tenant: Tenant, together: Callable[..., list[Any]]
) -> None:
    """Either the cancel finds the run, or the start finds the cancel."""
    publish(tenant, GRACE)
    for number in range(40):
        key = f"k{number}"

        def begin_soon(key: str = key, after: float = number % 4 * 0.002) -> Started:
            time.sleep(after)
            return begin(tenant, idempotency_key=key)

        started, done = together(begin_soon, lambda key=key: withdraw(tenant, Key(idempotency_key=key)))

        assert run_of(tenant, started.run_id).state == "cancelled"
        assert started.cancelled != bool(done.verdicts)


@pytest.mark.parametrize("order", ["start first", "cancel first"])
def test_both_interleavings_by_force(tenant: Tenant, order: str, meanwhile: Callable[..., Future[Any]]) -> None:
    """Whoever comes second waits until the first has committed."""
    publish(tenant, GRACE)
    calls = {
        "start": partial(begin, tenant, idempotency_key="k"),
        "cancel": partial(withdraw, tenant, Key(idempotency_key="k")),
    }
    first, second = ("start", "cancel") if order == "start first" else ("cancel", "start")

    with tenant_scope(tenant.pk):
        answers: dict[str, Any] = {first: calls[first]()}
        waits = meanwhile(calls[second])
    answers[second] = waits.result(60)

    started, done = answers["start"], answers["cancel"]
    assert run_of(tenant, started.run_id).state == "cancelled"
    assert (started.cancelled, len(done.verdicts)) == ((True, 0) if order == "cancel first" else (False, 1))


def test_rest_cancels_by_key_lists_and_lifts(
    tenant: Tenant, other_tenant: Tenant, rest: APIClient, client_of: Any
) -> None:
    run_id = waiting_run(tenant)
    body = {"correlation": {"invoice_id": "42"}, "sticky": True, "ttl": "P1D", "reason": "withdrawn"}

    done = rest.post("/v1/runs/cancel-by-key", body).json()
    started = rest.post(
        "/v1/runs", {"workflow": "dunning", "subject": "bob", "correlation": {"invoice_id": "42"}}
    ).json()
    listed = rest.get("/v1/sticky-cancels").json()["items"]
    stranger = client_of(other_tenant)
    hidden = stranger.get("/v1/sticky-cancels").json()["items"]
    refused = stranger.delete(f"/v1/sticky-cancels/{done['sticky']['id']}")
    lifted = rest.delete(f"/v1/sticky-cancels/{done['sticky']['id']}")

    assert [(one["id"], one["verdict"]) for one in done["runs"]] == [(str(run_of(tenant, run_id).public_id), "moved")]
    assert started["runs"][0]["cancelled"] is True
    assert [(one["mark"], one["reason"]) for one in listed] == [("invoice_id=42", "withdrawn")]
    assert (hidden, refused.status_code, lifted.status_code) == ([], 404, 204)
    assert rest.get("/v1/sticky-cancels").json()["items"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"idempotency_key": "k", "sticky": True},
        {"idempotency_key": "k", "ttl": "P1D"},
        {"idempotency_key": "k", "sticky": True, "ttl": "P1M"},
        {},
    ],
)
def test_rest_refuses_half_a_cancel(rest: APIClient, body: dict[str, Any]) -> None:
    assert rest.post("/v1/runs/cancel-by-key", body).status_code == 400


def test_the_command_cancels_by_key_lists_and_lifts(tenant: Tenant, other_tenant: Tenant) -> None:
    publish(tenant, GRACE)
    out = io.StringIO()

    words = ["--correlation", "invoice_id=42", "--sticky-for", "PT1H", "--reason", "withdrawn"]
    call_command("runs", "cancel-key", "--tenant", tenant.slug, *words, stdout=out)

    assert out.getvalue().startswith("Runs that start under it are cancelled until ")
    assert begin(tenant).cancelled
    assert run_of(tenant, start(tenant, "dunning", correlation={"invoice_id": "7"})).state == "pending"

    out.truncate(0)
    call_command("runs", "sticky", "--tenant", tenant.slug, stdout=out)
    [cancel] = re.findall(r"([0-9a-f-]{36})  invoice_id=42  any workflow  until ", out.getvalue())
    with pytest.raises(CommandError, match="No such sticky cancel"):
        call_command("runs", "lift", cancel, "--tenant", other_tenant.slug)
    assert begin(tenant).cancelled
    call_command("runs", "lift", cancel, "--tenant", tenant.slug, stdout=out)
    assert not begin(tenant).cancelled


def test_a_duplicate_start_is_answered_or_skipped(tenant: Tenant, rest: APIClient) -> None:
    publish(tenant, GRACE)
    body = {"workflow": "dunning", "subject": "ada", "idempotency_key": "once"}
    first = rest.post("/v1/runs", body)

    returned = rest.post("/v1/runs", body | {"on_duplicate": "return"})
    skipped = rest.post("/v1/runs", body | {"on_duplicate": "skip"})
    other = rest.post("/v1/runs", body | {"on_duplicate": "skip", "subject": "bob"})
    wrong = rest.post("/v1/runs", body | {"on_duplicate": "replace"})

    run = first.json()["runs"][0]["id"]
    said = {"id": run, "created": False, "cancelled": False}
    assert (first.status_code, first.json()["runs"][0]["created"]) == (201, True)
    assert (returned.status_code, returned.json()["runs"]) == (200, [said | {"skipped": False}])
    assert (skipped.status_code, skipped.json()["runs"]) == (200, [said | {"skipped": True}])
    assert (other.status_code, other.json()["code"]) == (409, "start_conflict")
    assert [fault["path"] for fault in wrong.json()["detail"]] == ["/on_duplicate"]
    assert rows_of(tenant)[0] == 1
