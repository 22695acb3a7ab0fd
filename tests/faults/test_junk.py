"""Whatever lies in the queues, workers live on."""

import json
import time
from typing import Any

import redis

from chimeway_py.embedded.broker import Broker
from tenants.models import Tenant
from tests.fleet import Workers
from tests.journeys import GRACE, paid, publish, run_of, start

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


def length(client: Any) -> int:
    return sum(client.llen(queue) for queue in ("engine", "work", "sweep"))


def test_junk_is_dropped_and_the_workers_live(tenant: Tenant, worker_processes: Workers, broker: Broker) -> None:
    before = [child.pid for child in worker_processes.children]
    with redis.Redis.from_url(broker.url) as client:
        for queue in ("engine", "work", "sweep"):
            client.rpush(queue, *(JUNK * 2))
        deadline = time.monotonic() + 20
        while length(client) > 20 and time.monotonic() < deadline:
            time.sleep(0.1)

    publish(tenant, GRACE)
    run_id = start(tenant, "dunning", correlation={"invoice_id": "42"})
    paid(tenant)
    while run_of(tenant, run_id).state != "completed" and time.monotonic() < deadline + 15:
        time.sleep(0.05)

    assert run_of(tenant, run_id).state == "completed", "\n".join(
        c.log_tail(12)[-1500:] for c in worker_processes.children
    )
    assert [child.is_running for child in worker_processes.children] == [True] * 3
    assert [child.pid for child in worker_processes.children] == before
