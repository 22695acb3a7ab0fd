"""Fixtures of deliveries: journeys that are carried on in this process, turn by turn."""

import ssl
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pytest_httpserver import HTTPServer

from deliveries.models import Delivery, InboxItem
from tenants.models import Tenant
from tenants.scope import tenant_scope
from workflows.models import Attempt, Run, Transition
from workflows.services.definitions import ensure_definition
from workflows.services.start import NewRun, start_runs
from workflows.services.turn import engine_turn, work_turn

T = TypeVar("T")


class Journey:
    """One tenant's definition and its runs."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.key = f"journey_{uuid.uuid4().hex[:12]}"

    def publish(self, *steps: Mapping[str, Any], templates: Mapping[str, Any] | None = None) -> None:
        """Publish these steps; deliver steps need only name their channel and keys."""
        named = [{"key": f"step_{n}", "kind": "deliver", **step} for n, step in enumerate(steps, start=1)]
        document = {"key": self.key, "steps": named} | ({"templates": dict(templates)} if templates else {})
        ensure_definition(tenant_id=self.tenant.pk, document=document)

    def start(self, subject: str = "anna", **data: Any) -> Run:
        """Start a run with this data and let the engine move it."""
        new = NewRun(subject=subject, data=data)
        (started,) = start_runs(tenant_id=self.tenant.pk, definition_key=self.key, runs=[new])
        engine_turn(tenant_id=self.tenant.pk)
        return self.read(lambda: Run.objects.get(tenant_id=self.tenant.pk, id=started.run_id))

    def work(self) -> None:
        """Do the work that is due, in as many turns as it takes, then move the runs."""
        while work_turn(tenant_id=self.tenant.pk):
            pass
        engine_turn(tenant_id=self.tenant.pk)

    def read(self, question: Callable[[], T]) -> T:
        """Ask something in the tenant's scope."""
        with tenant_scope(self.tenant.pk):
            return question()

    def run(self, run: Run) -> Run:
        """The run as it is now."""
        return self.read(lambda: Run.objects.get(tenant_id=run.tenant_id, id=run.pk))

    def run_of(self, item: InboxItem) -> Run:
        """The run that put an item into an inbox."""
        return self.read(lambda: Run.objects.get(tenant_id=item.tenant_id, public_id=item.run_public_id))

    def deliveries(self, run: Run) -> list[Delivery]:
        """Its deliveries in order."""
        rows = Delivery.objects.filter(tenant_id=run.tenant_id, run_id=run.pk).order_by("id")
        return self.read(lambda: list(rows))

    def delivery(self, run: Run) -> Delivery:
        """Its only delivery."""
        (only,) = self.deliveries(run)
        return only

    def set_status(self, run: Run, status: str) -> None:
        """Put its deliveries where a worker that died, or another transaction, would have left them."""
        self.read(lambda: Delivery.objects.for_tenant(run.tenant_id).filter(run_id=run.pk).update(status=status))

    def inbox(self, subject: str) -> list[InboxItem]:
        """An inbox, oldest first."""
        return self.read(lambda: list(InboxItem.objects.in_inbox(self.tenant.pk, subject).order_by("id")))

    def attempts(self, run: Run) -> list[tuple[int, str, str]]:
        """(number, outcome, error) of every try."""
        rows = Attempt.objects.filter(tenant_id=run.tenant_id, step_run__run_id=run.pk).order_by(
            "step_run_id", "number"
        )
        return self.read(lambda: list(rows.values_list("number", "outcome", "error")))

    def trace(self, run: Run) -> list[Transition]:
        """Its transitions in order."""
        return self.read(lambda: list(Transition.objects.filter(tenant_id=run.tenant_id, run_id=run.pk).in_order()))


@pytest.fixture
def journey(tenant: Tenant) -> Journey:
    """A journey of this test's tenant."""
    return Journey(tenant)


@pytest.fixture
def untrusted_server() -> Iterator[HTTPServer]:
    """An https receiver whose certificate nobody signed. Its key is public and guards nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(__file__).parent / "untrusted.pem")
    with HTTPServer(host="127.0.0.1", ssl_context=context) as server:
        yield server
