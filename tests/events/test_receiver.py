"""The receiver of the documentation checks what we send; and nothing that we send holds a value."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.docs.pages import blocks, page
from tests.events.listening import Subscriber, events_of
from tests.journeys import run_of, waiting_run
from workflows.events.subscriptions import rotate_subscription_secret
from workflows.events.turn import events_turn
from workflows.services.control import cancel_runs
from workflows.states import Cause

CANARY = "canary-4c1e"
Verify = Callable[[str, Mapping[str, str], bytes], Any]


@pytest.fixture
def receiver() -> dict[str, Any]:
    """The module that the page shows."""
    (block,) = [block for block in blocks(page("events.md"), "python") if block.text.startswith("# receiver.py")]
    module: dict[str, Any] = {}
    exec(compile(block.text, "receiver.py", "exec"), module)  # noqa: S102
    return module


def test_it_takes_what_we_send_under_each_live_secret(
    tenant: Tenant, subscribe: Callable[..., Subscriber], receiver: dict[str, Any]
) -> None:
    crm = subscribe(types=["run.waiting"])
    new = rotate_subscription_secret(tenant_id=tenant.pk, key="crm", overlap=timedelta(hours=1)).secret
    waiting_run(tenant)
    events_turn(tenant_id=tenant.pk)
    (request,) = crm.requests

    for secret in (crm.secret, new):
        assert receiver["verify"](secret, request.headers, request.data)["type"] == "run.waiting"


def test_it_refuses_what_was_changed_what_is_old_and_what_others_signed(
    tenant: Tenant, subscribe: Callable[..., Subscriber], receiver: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    crm, other = subscribe(types=["run.waiting"]), subscribe("other")
    waiting_run(tenant)
    events_turn(tenant_id=tenant.pk)
    (request,) = crm.requests
    headers = dict(request.headers)
    verify: Verify = receiver["verify"]

    for secret, changed, body in (
        (crm.secret, headers, request.data.replace(b"waiting", b"failed!")),
        (crm.secret, headers | {"Webhook-Id": "another"}, request.data),
        (other.secret, headers, request.data),
    ):
        with pytest.raises(ValueError, match="no signature"):
            verify(secret, changed, body)
    later = time.time() + receiver["TOLERANCE"] + 5
    monkeypatch.setattr(receiver["time"], "time", lambda: later)
    with pytest.raises(ValueError, match="too old"):
        verify(crm.secret, headers, request.data)


def test_events_hold_no_value(tenant: Tenant, subscribe: Callable[..., Subscriber]) -> None:
    crm = subscribe()
    run_id = waiting_run(
        tenant, subject=f"{CANARY}-subject", data={"name": CANARY}, correlation={"invoice_id": f"{CANARY}-7"}
    )
    public_id = run_of(tenant, run_id).public_id
    cancel_runs(
        tenant_id=tenant.pk, public_ids=[public_id], cause=Cause.API, cause_ref=f"{CANARY}-who", reason=f"{CANARY} why"
    )
    events_turn(tenant_id=tenant.pk)

    assert crm.types[-1] == "run.cancelled"
    assert [request for request in crm.requests if CANARY in str(request.data) + str(request.headers)] == []
    with tenant_scope(tenant.pk):
        assert [event for event in events_of(tenant) if CANARY in json.dumps(event.data)] == []


def test_the_secret_is_sealed(tenant: Tenant, subscribe: Callable[..., Subscriber]) -> None:
    crm = subscribe()

    assert crm.secret.removeprefix("whsec_")[:20] not in json.dumps(crm.row.secrets)
