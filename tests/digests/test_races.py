"""Joins and closes at one instant, from separate connections: no item is lost, none is in two digests."""

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chimeway_py.embedded.postgres import Postgres
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.digests.collecting import bring, close_all, collected_by, collecting, digests_of, let_time_come
from tests.faults import shims
from tests.journeys import drain, run_of, start
from tests.racing import race, wait_until_blocked
from workflows.digests.closing import Asked, close_digest, close_due_digests
from workflows.models import Digest, DigestItem, Run
from workflows.services.advance import advance_due
from workflows.services.control import cancel_runs
from workflows.services.start import NewRun, start_runs
from workflows.states import Cause
from workflows.verify import verify_trace

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 200
NOW = Asked(Cause.API, "", "a test")


def in_one_digest_each(tenant: Tenant) -> list[int]:
    """How many items each digest closed with. Every run brought one, and every closed digest has one leader."""
    with tenant_scope(tenant.pk):
        items = Counter(DigestItem.objects.filter(tenant_id=tenant.pk, left_at=None).values_list("run_id", flat=True))
        digests = list(Digest.objects.filter(tenant_id=tenant.pk).order_by("id"))
        runs = set(Run.objects.for_tenant(tenant.pk).values_list("id", flat=True))
    assert items.keys() == runs
    assert set(items.values()) == {1}
    for digest in digests:
        assert digest.leader_run_id is not None
        assert collected_by(tenant, digest.leader_run_id)["count"] == digest.count
    assert sum(digest.count for digest in digests) == len(runs)
    return [digest.count for digest in digests]


def test_an_item_that_comes_while_a_digest_closes_is_in_it_or_in_the_next(
    tenant: Tenant,
) -> None:
    collecting(tenant)
    subjects = [f"s{number:03}" for number in range(ROUNDS)]
    start_runs(tenant_id=tenant.pk, definition_key="news", runs=[NewRun(subject=one) for one in subjects])
    drain(tenant)
    opened = {one.subject: one.pk for one in digests_of(tenant)}
    start_runs(tenant_id=tenant.pk, definition_key="news", runs=[NewRun(subject=one) for one in subjects])

    def join(_: int) -> int:
        return advance_due(tenant_id=tenant.pk, limit=1)

    def close(number: int) -> bool:
        return bool(close_digest(tenant_id=tenant.pk, digest_id=opened[subjects[number]], asked=NOW))

    answers = race({"join": join, "close": close}, ROUNDS)
    assert answers == {"join": [1] * ROUNDS, "close": [True] * ROUNDS}
    close_all(tenant)

    counts = in_one_digest_each(tenant)
    assert set(counts[:ROUNDS]) == {1, 2}, "the race never went both ways"
    assert list(verify_trace(tenant_id=tenant.pk)) == []


@pytest.mark.parametrize("first", ["join", "close"])
def test_who_takes_the_lock_of_the_digest_first_comes_first(tenant: Tenant, postgres: Postgres, first: str) -> None:
    collecting(tenant)
    [leader] = bring(tenant, 1)
    [digest] = digests_of(tenant)
    late = start(tenant, "news", data={"n": 2})
    join = threading.Thread(target=lambda: advance_due(tenant_id=tenant.pk))
    close = threading.Thread(target=lambda: close_digest(tenant_id=tenant.pk, digest_id=digest.pk, asked=NOW))

    with tenant_scope(tenant.pk):  # hold the row, let both queue behind it in a known order, then let go
        Digest.objects.select_for_update(no_key=True).get(tenant_id=tenant.pk, pk=digest.pk)
        for number, thread in enumerate([join, close] if first == "join" else [close, join], start=1):
            thread.start()
            wait_until_blocked(postgres, number)
    join.join(10)
    close.join(10)
    close_all(tenant)

    assert in_one_digest_each(tenant) == ([2] if first == "join" else [1, 1])
    assert run_of(tenant, late).status_reason == ("digested" if first == "join" else "wait_opened")
    assert collected_by(tenant, leader)["items"][0] == {"n": 1}


def test_closes_cancels_and_joins_at_once_lose_nothing(tenant: Tenant, together: Callable[..., list[Any]]) -> None:
    collecting(tenant, {"max_items": 3})
    for round_ in range(10):
        run_ids = bring(tenant, 1, 2, subject=f"r{round_}")
        start(tenant, "news", f"r{round_}", data={"n": 3})
        start(tenant, "news", f"r{round_}", data={"n": 4})
        leader = run_of(tenant, run_ids[0]).public_id
        let_time_come(tenant)

        answers = together(
            lambda: close_due_digests(tenant_id=tenant.pk),
            lambda: close_due_digests(tenant_id=tenant.pk),
            lambda: drain(tenant),
            lambda leader=leader: cancel_runs(
                tenant_id=tenant.pk, public_ids=[leader], cause=Cause.API, cause_ref="", reason="enough"
            ),
        )

        assert [one for one in answers if isinstance(one, Exception)] == []
        drain(tenant)
        close_all(tenant)

    with tenant_scope(tenant.pk):
        lost = DigestItem.objects.filter(tenant_id=tenant.pk, told_at=None).count()
        unfinished = Digest.objects.filter(tenant_id=tenant.pk).exclude(due_at=None).count()
    assert (lost, unfinished) == (0, 0)
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def test_a_worker_that_is_killed_while_it_closes_has_closed_nothing(tenant: Tenant) -> None:
    collecting(tenant)
    first, second = bring(tenant, 1, 2)
    let_time_come(tenant)
    code = (
        "import django; django.setup()\n"
        "from workflows.digests.closing import close_due_digests\n"
        f"close_due_digests(tenant_id={tenant.pk})"
    )
    for point in (shims.CLOSES_A_DIGEST, shims.TELLS_A_MEMBER):
        env = shims.dies_at(dict(os.environ), point)
        killed = subprocess.run([sys.executable, "-c", code], env=env, cwd=ROOT, check=False)
        assert killed.returncode == -9
        [digest] = digests_of(tenant)
        assert digest.due_at is not None, "the next sweep finds it"
        assert digest.status == ("open" if point == shims.CLOSES_A_DIGEST else "closed")

    close_due_digests(tenant_id=tenant.pk)

    assert in_one_digest_each(tenant) == [2]
    assert (run_of(tenant, first).step, run_of(tenant, second).status_reason) == ("rest", "digested")
    assert list(verify_trace(tenant_id=tenant.pk)) == []
