"""One tenant in the database beside its model, and what of a run is compared."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from deliveries.models import Delivery
from signals_app.models import Signal as StoredSignal
from signals_app.services.payloads import load_payloads
from tenants.models import Tenant
from tenants.scope import database_now, tenant_scope
from tenants.services import create_tenant
from tests.journeys import publish, run_of
from tests.model.collecting import Digest
from tests.model.shadow import Shadow, Work
from tests.model.world import World
from workflows.models import Attempt, DigestItem, Run, SignalVerdict, StepRun, Transition
from workflows.models import Digest as StoredDigest
from workflows.models import Wait as StoredWait
from workflows.models.external_work import ExternalWork
from workflows.models.throttle import ThrottlePass
from workflows.services.start import NewRun, Started
from workflows.steps.base import Claim
from workflows.store.answers import data_of

RUNS: tuple[Any, ...] = (Run, Transition, StoredWait, StepRun, Attempt, SignalVerdict)
ROWS = (*RUNS, StoredSignal, ExternalWork, Delivery, ThrottlePass, StoredDigest, DigestItem)


class Side:
    """One tenant, its model, and how the model's things are called in the database."""

    def __init__(self, versions: tuple[dict[str, Any], dict[str, Any]]) -> None:
        self.tenant: Tenant = create_tenant(slug=f"t-{uuid.uuid4().hex[:20]}")
        self.versions, self.published, self.world = versions, 1, World()
        publish(self.tenant, self.document)
        self.ids: list[Started] = []
        self.claims: list[tuple[Claim, Shadow, Work]] = []
        self.keys: dict[str, tuple[NewRun, uuid.UUID]] = {}
        self.sticky: dict[str, uuid.UUID] = {}
        self.offset, self.began = 0, database_now()
        self.print = self.rows()

    @property
    def tenant_id(self) -> int:
        return self.tenant.pk

    @property
    def document(self) -> dict[str, Any]:
        """What runs start on."""
        return self.versions[self.published - 1]

    def rows(self) -> list[Any]:
        """Every column of every row that the engine keeps."""
        with tenant_scope(self.tenant_id):
            return [list(model.objects.filter(tenant_id=self.tenant_id).order_by("pk").values()) for model in ROWS]

    def now(self) -> datetime:
        return database_now() + timedelta(minutes=self.offset)

    def passes(self) -> list[tuple[str, bool, int]]:
        """What of throttles is stored: by visit, whether it passed, and the moment to the nearest ten minutes."""
        with tenant_scope(self.tenant_id):
            taken = list(ThrottlePass.objects.filter(tenant_id=self.tenant_id).order_by("key"))
        return [(one.key, one.passed, self.minutes(one.at)) for one in taken]

    def minutes(self, at: datetime) -> int:
        """Since the machine began, in tens."""
        return round((at - self.began) / timedelta(minutes=10))

    def digests(self) -> tuple[list[Digest], list[dict[str, Any]]]:
        """The model's and the stored ones in one order. New ones of the model learn what the database calls them."""
        with tenant_scope(self.tenant_id):
            rows = list(
                StoredDigest.objects.filter(tenant_id=self.tenant_id).select_related("leader_run").order_by("pk")
            )
            items = list(
                DigestItem.objects.filter(tenant_id=self.tenant_id).select_related("step_run").order_by("position")
            )
            values = load_payloads(self.tenant_id, [bytes(one.payload_sha) for one in items])
        ids = {one.step_run.key: one.digest_id for one in items if one.position == 1}
        for mine in self.world.digests.all:
            mine.id = mine.id or ids[mine.items[0].key]
        found = [
            {
                "place": (row.step, row.subject),
                "status": (row.status, row.closed_by, row.positions, row.count),
                "closes": (self.minutes(row.closes_at), row.due_at is not None),
                "leader": str(row.leader_run.public_id) if row.leader_run else "",
                "items": [
                    (
                        one.position,
                        one.step_run.key,
                        plain(values[bytes(one.payload_sha)]),
                        one.left_why,
                        one.told_at is not None,
                    )
                    for one in items
                    if one.digest_id == row.pk
                ],
            }
            for row in rows
        ]
        return sorted(self.world.digests.all, key=lambda one: one.id), found

    def of(self, run: Shadow) -> Started:
        return self.ids[self.world.runs.index(run)]

    def forget(self, run: Shadow) -> None:
        """It was pruned, and its external work with it."""
        del self.ids[self.world.runs.index(run)]
        self.world.runs.remove(run)
        self.world.digests.forget(run)
        self.world.jobs = {name: job for name, job in self.world.jobs.items() if job.owner is not run}
        self.claims = [one for one in self.claims if one[1] is not run]

    def step_run(self, run: Shadow, work: Work) -> StepRun:
        with tenant_scope(self.tenant_id):
            key = f"{self.of(run).public_id}:{work.step['key']}:{work.visit}{':compensate' if work.undo else ''}"
            return StepRun.objects.for_tenant(self.tenant_id).get(key=key)


def plain(value: Any) -> Any:
    """Without the address, which the model does not know, and of what was collected without its id and moments."""
    if not isinstance(value, dict):
        return value
    known = {name: one for name, one in value.items() if name not in ("email", "digest", "first_at", "last_at")}
    return {name: [plain(one) for one in told] if name == "items" else told for name, told in known.items()}


def modelled(run: Shadow) -> dict[str, Any]:
    """What the model says that is stored."""
    return {
        "state": run.state,
        "step": run.step,
        "visits": run.visits,
        "pending": len(run.pending),
        "data": run.data | {f"@steps.{key}": told for key, told in run.collected.items()},
        "ended": run.terminal_reason if run.state != "cancelled" else "",
        "pause": (run.pause.was, run.pause.switch, run.pause.until is not None) if run.pause else None,
        "wait": (run.wait.step["key"], run.visits[run.step], run.wait.due is not None, run.wait.remind is not None)
        if run.wait
        else None,
        "works": {key: (work.status, work.attempts, work.held, work.maybe) for key, work in run.works.items()},
        "undone": [
            (work.step["key"], work.visit, work.status, work.attempts, work.held, work.due is not None, work.lost)
            for work in sorted(run.undos, key=lambda one: one.undo)
        ],
    }


def stored(side: Side, started: Started) -> dict[str, Any]:
    """The same, as it is stored."""
    run = run_of(side.tenant, started.run_id)
    with tenant_scope(side.tenant_id):
        mine = {"tenant_id": side.tenant_id, "run_id": run.pk}
        waits = list(StoredWait.objects.filter(**mine, closed_at=None))
        works = list(StepRun.objects.filter(**mine, undo=0))
        undos = list(StepRun.objects.filter(**mine, undo__gt=0).order_by("undo"))
        data = data_of(side.tenant_id, run.pk, run.data_sha)
    assert len(waits) <= 1
    told = run.status_context
    return {
        "state": run.state,
        "step": run.step,
        "visits": run.visits,
        "pending": run.pending_signals,
        "data": {name: plain(told) for name, told in plain(data).items()},
        "ended": run.terminal_reason if run.state != "cancelled" else "",
        "pause": (told["was"], "switch" in told, run.suspended_until is not None) if run.state == "paused" else None,
        "wait": next(((w.step, w.visit, w.due_at is not None, w.remind_at is not None) for w in waits), None),
        "works": {(w.step, w.visit): (w.status, w.attempts_made, w.held, w.maybe_done) for w in works},
        "undone": [
            (w.step, w.visit, w.status, w.attempts_made, w.held, w.due_at is not None, w.lost_attempts) for w in undos
        ],
    }
