"""A real worker sends events, without anybody in this process doing so."""

import time
from collections.abc import Callable

from tenants.models import Tenant
from tests.events.listening import Subscriber
from tests.fleet import Workers
from tests.journeys import GRACE, publish, start


def test_a_worker_sends_what_is_committed(
    tenant: Tenant, subscribe: Callable[..., Subscriber], worker_processes: Workers
) -> None:
    crm = subscribe(types=["run.created", "run.waiting"])
    publish(tenant, GRACE)
    start(tenant, "dunning", correlation={"invoice_id": "1"})

    deadline = time.monotonic() + 20
    while len(crm.requests) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)

    assert sorted(crm.types) == ["run.created", "run.waiting"]
