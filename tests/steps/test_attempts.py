"""Attempts one by one: begin, complete, fail, count, and import of what was tried elsewhere."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from chimeway_py.errors import Invalid, NotFound
from tenants.models import Tenant
from tests.journeys import rows_of, run_of
from tests.steps.owing import attempts, key_of, make_due, owed
from tests.workflows.probe import Probe
from workflows.errors import StaleAttempt, StepRunNotFound
from workflows.models import Attempt, StepRun
from workflows.services.attempts import (
    AttemptConflict,
    AttemptRefused,
    PastAttempt,
    attempt_count,
    attempts_of,
    begin_attempt,
    code_of,
    complete_attempt,
    fail_attempt,
    latest_attempt,
    next_attempt_number,
    record_attempt,
)

AT_ONCE = {"retry": {"max_attempts": 20, "backoff": "none", "initial": "PT0S"}}
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PAST = PastAttempt(1, "temporary_failure", NOON, NOON + timedelta(seconds=2), "http 503", True, "old-worker")


def test_an_attempt_is_begun_and_completed_and_the_run_goes_on(tenant: Tenant, probe: Probe) -> None:
    run_id = owed(tenant)
    key = key_of(tenant, run_id)
    assert (latest_attempt(tenant_id=tenant.pk, key=key), next_attempt_number(tenant_id=tenant.pk, key=key)) == (
        None,
        1,
    )

    claim = begin_attempt(tenant_id=tenant.pk, key=key, worker="mine")
    complete_attempt(claim=claim, outcome="delivered")

    assert run_of(tenant, run_id).state == "completed"
    last = latest_attempt(tenant_id=tenant.pk, key=key)
    assert last is not None
    assert (last.number, last.worker, last.outcome) == (1, "mine", "delivered")


def test_a_failed_attempt_is_followed_as_the_policy_says(tenant: Tenant, probe: Probe) -> None:
    key = key_of(tenant, owed(tenant, {"retry": {"max_attempts": 2, "backoff": "none", "initial": "PT10S"}}))

    first = fail_attempt(
        claim=begin_attempt(tenant_id=tenant.pk, key=key, worker="w"), error=TimeoutError("secret"), retry_after=30
    )
    assert first.retry_at is not None
    with pytest.raises(AttemptRefused) as early:
        begin_attempt(tenant_id=tenant.pk, key=key, worker="w")
    make_due(tenant)
    second = fail_attempt(claim=begin_attempt(tenant_id=tenant.pk, key=key, worker="w"), error="http 500")

    assert early.value.detail["status"] == "owed"  # type: ignore[call-overload]
    assert early.value.detail["due_at"] == f"{first.retry_at:%Y-%m-%dT%H:%M:%S.%fZ}"  # type: ignore[call-overload]
    assert early.value.message.endswith("with `early` an attempt begins before.")
    assert (second.retry_at, second.outcome.word) == (None, "retries_exhausted")
    assert attempts(tenant) == [
        (1, "finished", "temporary_failure", "TimeoutError"),
        (2, "finished", "temporary_failure", "http 500"),
    ]


def test_what_must_not_be_tried_again_is_not(tenant: Tenant, probe: Probe) -> None:
    key = key_of(tenant, owed(tenant, AT_ONCE))

    finish = fail_attempt(
        claim=begin_attempt(tenant_id=tenant.pk, key=key, worker="w"), error="card declined", retryable=False
    )

    assert (finish.outcome.word, finish.retry_at) == ("permanent_failure", None)
    with pytest.raises(AttemptRefused):
        begin_attempt(tenant_id=tenant.pk, key=key, worker="w")


def test_eight_callers_number_attempts_without_a_gap(
    tenant: Tenant, probe: Probe, together: Callable[..., list[Any]]
) -> None:
    key = key_of(tenant, owed(tenant, AT_ONCE))
    begun: list[int] = []

    def work() -> None:
        for _ in range(12):
            try:
                claim = begin_attempt(tenant_id=tenant.pk, key=key, worker=uuid.uuid4().hex)
            except AttemptRefused:
                continue
            begun.append(claim.attempt_number)
            fail_attempt(claim=claim, error="again")

    together(*(work for _ in range(8)))

    assert len(begun) >= 2
    assert sorted(begun) == list(range(1, len(begun) + 1))
    assert [one.number for one in attempts_of(tenant_id=tenant.pk, key=key)] == sorted(begun)
    assert attempt_count(tenant_id=tenant.pk, key=key) == len(begun)


def test_a_finisher_that_lost_its_claim_is_told_the_state_it_met(tenant: Tenant, probe: Probe) -> None:
    key = key_of(tenant, owed(tenant))
    zombie = begin_attempt(tenant_id=tenant.pk, key=key, worker="w1")
    make_due(tenant)
    begin_attempt(tenant_id=tenant.pk, key=key, worker="w2")

    for finish in (partial(complete_attempt, outcome="delivered"), partial(fail_attempt, error="late")):
        with pytest.raises(StaleAttempt) as refusal:
            finish(claim=zombie)
        assert refusal.value.detail["status"] == "running"  # type: ignore[call-overload]
    assert attempts(tenant) == [(1, "lost", "unknown", "lease_expired"), (2, "running", "", "")]


def test_a_past_attempt_is_recorded_once_and_the_numbers_go_on(tenant: Tenant, probe: Probe) -> None:
    key = key_of(tenant, owed(tenant))

    first = record_attempt(tenant_id=tenant.pk, key=key, attempt=PAST)
    again = record_attempt(tenant_id=tenant.pk, key=key, attempt=PAST)

    assert first.pk == again.pk
    assert begin_attempt(tenant_id=tenant.pk, key=key, worker="w").attempt_number == 2
    assert attempts(tenant)[0] == (1, "finished", "temporary_failure", "http 503")


REFUSED = [
    (replace(PAST, number=3), AttemptConflict),  # a gap
    (replace(PAST, outcome="delivered"), AttemptConflict),  # another attempt under a number that is taken
    (replace(PAST, number=2, finished_at=NOON - timedelta(seconds=1)), Invalid),
    (replace(PAST, number=2, started_at=datetime(2026, 11, 20)), Invalid),
    (replace(PAST, number=2, error="two\nlines"), Invalid),
    (replace(PAST, number=2, worker=""), Invalid),
    (replace(PAST, number=2, outcome="x" * 33), Invalid),
]


@pytest.mark.parametrize(("attempt", "refusal"), REFUSED)
def test_a_past_attempt_that_contradicts_is_refused(
    attempt: PastAttempt, refusal: type[Exception], tenant: Tenant, probe: Probe
) -> None:
    key = key_of(tenant, owed(tenant))
    record_attempt(tenant_id=tenant.pk, key=key, attempt=PAST)
    before = rows_of(tenant, (StepRun, Attempt))

    with pytest.raises(refusal):
        record_attempt(tenant_id=tenant.pk, key=key, attempt=attempt)

    assert rows_of(tenant, (StepRun, Attempt)) == before


def test_nothing_is_recorded_while_a_worker_holds_the_work(tenant: Tenant, probe: Probe) -> None:
    key = key_of(tenant, owed(tenant))
    begin_attempt(tenant_id=tenant.pk, key=key, worker="w")

    with pytest.raises(AttemptConflict):
        record_attempt(tenant_id=tenant.pk, key=key, attempt=replace(PAST, number=2))


@pytest.mark.parametrize("question", [latest_attempt, attempt_count, next_attempt_number, attempts_of])
def test_another_tenants_step_run_is_not_found(
    question: Callable[..., Any], tenant: Tenant, other_tenant: Tenant, probe: Probe
) -> None:
    key = key_of(tenant, owed(tenant))

    for refused in (
        partial(question, tenant_id=other_tenant.pk, key=key),
        partial(begin_attempt, tenant_id=other_tenant.pk, key=key, worker="w"),
        partial(record_attempt, tenant_id=other_tenant.pk, key=key, attempt=PAST),
    ):
        with pytest.raises(StepRunNotFound):
            refused()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError("a value"), "ValueError"),
        (NotFound("of whom"), "not_found"),
        ("a\tb\n", "a b"),
        ("x" * 300, "x" * 200),
    ],
)
def test_errors_are_kept_as_codes(error: Any, code: str) -> None:
    assert code_of(error) == code
