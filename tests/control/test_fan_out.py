"""Cancelling before, during and after a fan-out to 10,000 subjects: nothing is sent after the answer."""

import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import connections

from tenants.models import Tenant
from tests.journeys import drain, publish
from tests.workflows.probe import DELIVERED, Probe
from workflows.services.bulk_control import Batch, control_planned, plan_control
from workflows.services.control import cancel_runs
from workflows.services.run_selection import Selection
from workflows.services.start import NewRun, start_runs
from workflows.services.work import claim_work, finish_work, perform
from workflows.states import Cause
from workflows.steps.base import Claim, Outcome

SEND = {"key": "news", "correlation": ["wave"], "steps": [{"key": "call", "kind": "probe"}]}
WAVES = {"before": 2000, "during": 7700, "after": 300}
WORKERS = 3
HALF = 4000  # sends, after which workers wait for the cancel: however fast they are, it comes before the last one


def fan_out(tenant: Tenant, wave: str) -> list[Any]:
    """Start the runs of a wave; nobody has advanced them."""
    found = []
    for first in range(0, WAVES[wave], 1000):
        runs = [
            NewRun(subject=f"{wave}-{number}", correlation={"wave": wave})
            for number in range(first, min(first + 1000, WAVES[wave]))
        ]
        found += start_runs(tenant_id=tenant.pk, definition_key="news", runs=runs)
    return [one.public_id for one in found]


class Sends:
    """When the work of each run was claimed, and when its message was sent, by the probe."""

    def __init__(self, probe: Probe) -> None:
        self.at: dict[str, float] = {}
        self.claimed_at: dict[str, float] = {}
        self.may_end = threading.Event()
        probe.answer = self.note

    def note(self, claim: Claim) -> Outcome:
        """A send takes a moment; it began now."""
        self.at[claim.run_public_id] = time.monotonic()
        if len(self.at) > HALF:
            self.may_end.wait(60)
        time.sleep(0.001)
        return DELIVERED


def wait_for(condition: Callable[[], bool]) -> None:
    """Until it holds; a minute at most."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def keep_working(tenant: Tenant, sends: Sends, until: Callable[[], bool]) -> None:
    """What a worker does all day."""
    try:
        while not until():
            claim = claim_work(tenant_id=tenant.pk, worker="w")
            if claim is not None:
                sends.claimed_at[claim.run_public_id] = time.monotonic()
                finish_work(claim=claim, outcome=perform(claim))
    finally:
        connections.close_all()


def cancel_wave(tenant: Tenant, wave: str) -> list[tuple[float, Batch]]:
    """Cancel a wave in batches; each with the moment of its answer."""
    found = plan_control(tenant_id=tenant.pk, action="cancel", selection=Selection(correlation={"wave": wave}))
    answers, rest = [], found.plan
    while rest is not None:
        batch = control_planned(
            tenant_id=tenant.pk, plan=rest, cause=Cause.API, cause_ref="key", reason="withdrawn", limit=700
        )
        answers.append((time.monotonic(), batch))
        rest = batch.rest
    return answers


def test_nothing_is_sent_after_the_answer_to_a_cancel(tenant: Tenant, probe: Probe) -> None:
    publish(tenant, SEND)
    sends = Sends(probe)
    before, during = fan_out(tenant, "before"), fan_out(tenant, "during")

    early = cancel_wave(tenant, "before")
    drain(tenant)
    done = threading.Event()
    workers = [threading.Thread(target=keep_working, args=(tenant, sends, done.is_set)) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    wait_for(lambda: len(sends.at) >= 100)
    answers = cancel_wave(tenant, "during")
    sends.may_end.set()
    after = fan_out(tenant, "after")
    drain(tenant)
    wait_for(lambda: {str(public_id) for public_id in after} <= sends.at.keys())
    done.set()
    for worker in workers:
        worker.join(30)

    assert sum(len(batch.verdicts) for _, batch in early) == len(before)
    assert not {str(public_id) for public_id in before} & sends.at.keys()
    cancelled = 0
    for answered_at, batch in answers:
        for one in batch.verdicts:
            cancelled += one.verdict == "moved"
            for happened in (sends.claimed_at, sends.at):
                late = happened.get(str(one.public_id), 0.0) > answered_at
                assert one.in_flight or not late, f"{one.public_id}: after the answer, and not named in it"
    sent = len({str(public_id) for public_id in during} & sends.at.keys())
    assert 100 <= sent < len(during)
    assert len(during) - sent <= cancelled <= len(during)

    total = len(sends.at)
    too_late = cancel_runs(tenant_id=tenant.pk, public_ids=after, cause=Cause.API, cause_ref="key", reason="too late")
    assert {(one.verdict, one.state, one.in_flight) for one in too_late} == {("refused", "completed", ())}
    assert claim_work(tenant_id=tenant.pk, worker="w") is None
    assert len(sends.at) == total
