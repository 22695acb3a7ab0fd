"""Whatever lies in the queues, workers live on."""

import json
import time
from collections.abc import Callable
from typing import Any

import redis
from celery import current_app

from chimeway_py.embedded.broker import Broker
from chimeway_py.nudges import TASKS
from tenants.models import Tenant
from tests.fleet import Workers
from tests.journeys import GRACE, moves_of, paid, publish, run_of, start, verdicts_of
from workflows.verify import verify_trace

GOOD: dict[str, Any] = {
    "body": "W1sxXSwge30sIHt9XQ==",
    "content-encoding": "utf-8",
    "content-type": "application/json",
    "headers": {"lang": "py", "task": "no.such.task", "id": "forged", "root_id": "forged"},
    "properties": {
        "correlation_id": "forged",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": "engine"},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": "forged",
    },
}
JUNK = [
    *(b"", b"{", b"\x00\xff", b"[]", b"1", b'"text"', b"null", b'{"body": 1}', b"[" * 50_000, b"x" * 300_000),
    *(json.dumps(GOOD | change).encode() for change in (
        {},
        {"properties": {}},
        {"properties": None},
        {"headers": []},
        {"headers": {"task": "workflows.tasks.run_engine"}},
        {"headers": GOOD["headers"] | {"task": "workflows.tasks.run_engine", "eta": "tomorrow"}},
        {"headers": GOOD["headers"] | {"task": "workflows.tasks.run_engine"}, "content-type": "application/x-python"},
        {"headers": GOOD["headers"] | {"task": "workflows.tasks.run_engine"}, "body": "bm90IGpzb24="},
        {"body": "%%%"},
        {"body": None},
    )),
]  # fmt: skip
UNREADABLE = 14  # of these


def length(client: Any) -> int:
    return sum(client.llen(queue) for queue in ("engine", "work", "sweep"))


def dropped(workers: Workers) -> int:
    """How many messages the logs of the workers tell of that were dropped."""
    return sum(path.read_text(errors="replace").count('"message_dropped"') for path in workers.logs.glob("*.log"))


def test_junk_is_dropped_and_the_workers_live(tenant: Tenant, worker_processes: Workers, broker: Broker) -> None:
    before = [child.pid for child in worker_processes.children]
    told = dropped(worker_processes)
    with redis.Redis.from_url(broker.url) as client:
        for queue in ("engine", "work", "sweep"):
            client.rpush(queue, *(JUNK * 2))
        deadline = time.monotonic() + 60
        while length(client) > 20 and time.monotonic() < deadline:
            time.sleep(0.1)

    publish(tenant, GRACE)
    run_id = start(tenant, "dunning", correlation={"invoice_id": "42"})
    paid(tenant)
    while run_of(tenant, run_id).state != "completed" and time.monotonic() < deadline + 60:
        time.sleep(0.05)

    assert run_of(tenant, run_id).state == "completed", "\n".join(
        c.log_tail(12)[-1500:] for c in worker_processes.children
    )
    until(lambda: dropped(worker_processes) - told == UNREADABLE * 2 * 3)  # the others are tasks to Celery
    assert [child.is_running for child in worker_processes.children] == [True] * 3
    assert [child.pid for child in worker_processes.children] == before


def test_a_nudge_that_comes_five_times_and_as_late_as_you_like_changes_nothing(
    tenant: Tenant, worker_processes: Workers, broker: Broker
) -> None:
    """A nudge names a tenant and has no time in it: one of an hour ago is the same bytes as one of now."""
    publish(tenant, GRACE)
    runs = [start(tenant, "dunning", correlation={"invoice_id": number}) for number in ("42", "43")]
    until(lambda: [run_of(tenant, run).state for run in runs] == ["waiting"] * 2)
    for task in TASKS.values():
        current_app.send_task(task, args=[tenant.pk], queue="kept_back", ignore_result=True)
    receipt = paid(tenant, "42")
    until(lambda: [run_of(tenant, run).state for run in runs] == ["completed", "waiting"])
    before, verdicts = moves_of(tenant, runs[0]), verdicts_of(tenant, receipt)

    with redis.Redis.from_url(broker.url) as client:
        kept = client.lrange("kept_back", 0, -1)
        client.delete("kept_back")
        client.rpush("engine", *(kept[::-1] * 5))
    paid(tenant, "43")
    until(lambda: run_of(tenant, runs[1]).state == "completed")

    headers = [json.loads(message)["headers"] for message in kept]
    assert {one["task"] for one in headers} == {*TASKS.values()}
    assert not any(one["expires"] or one["eta"] for one in headers)
    assert (moves_of(tenant, runs[0]), verdicts_of(tenant, receipt)) == (before, verdicts)
    assert moves_of(tenant, runs[1]) == before
    assert [*verify_trace(tenant_id=tenant.pk)] == []


def until(holds: Callable[[], bool]) -> None:
    """Wait for what workers do."""
    deadline = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
