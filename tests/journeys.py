"""Small journeys that many tests walk: publish, start, signal, let the engine go on, look."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from signals_app.models import Signal
from signals_app.services.intake import Receipt, accept_signals
from signals_app.services.new_signal import NewSignal
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.leaks import CANARY
from workflows.models import Run, SignalVerdict, Transition, Wait
from workflows.services.advance import advance_due
from workflows.services.definitions import ensure_definition
from workflows.services.route import route_signals
from workflows.services.start import NewRun, start_runs
from workflows.store.reasons import spoken
from workflows.trace import in_words

GRACE: dict[str, Any] = {
    "key": "dunning",
    "correlation": ["invoice_id"],
    "deadline": "P30D",
    "steps": [
        {
            "key": "grace",
            "kind": "wait",
            "for": "P2D",
            "signals": [
                {"name": "invoice.paid", "match": {"invoice_id": "run.correlation.invoice_id"}, "then": "complete"},
                {"name": "customer.closed", "then": {"stop": "customer_left"}},
            ],
        },
        {
            "key": "second",
            "kind": "wait",
            "for": "P1D",
            "signals": [{"name": "invoice.disputed", "match": {"invoice_id": "run.correlation.invoice_id"}}],
        },
    ],
}


def publish(tenant: Tenant, document: Mapping[str, Any]) -> None:
    """Publish a document for a tenant."""
    ensure_definition(tenant_id=tenant.pk, document=dict(document))


def start(tenant: Tenant, key: str, subject: str = "ada", **given: Any) -> int:
    """Start one run; its id. The engine has not seen it yet. Its data are what nobody may show, if none are given."""
    given.setdefault("data", {"note": f"{CANARY} of {key}"})  # equal ones wait for each other
    return start_runs(tenant_id=tenant.pk, definition_key=key, runs=[NewRun(subject=subject, **given)])[0].run_id


def waiting_run(tenant: Tenant, document: Mapping[str, Any] = GRACE, **given: Any) -> int:
    """A run that has come to its first wait."""
    publish(tenant, document)
    run_id = start(tenant, document["key"], **({"correlation": {"invoice_id": "42"}} | given))
    drain(tenant)
    return run_id


def send(tenant: Tenant, name: str, subject: str = "", **given: Any) -> Receipt:
    """Accept one signal; nobody has routed it yet. Its data are what nobody may show, if none are given."""
    given.setdefault("data", {"note": f"{CANARY} of {name}"})
    return accept_signals(tenant_id=tenant.pk, signals=[NewSignal(name=name, subject=subject, **given)])[0]


def paid(tenant: Tenant, invoice_id: str = "42", **given: Any) -> Receipt:
    """Accept `invoice.paid`."""
    return send(tenant, "invoice.paid", correlation={"invoice_id": invoice_id}, **given)


def drain(tenant: Tenant, now: datetime | None = None) -> int:
    """Let the engine do all that is due; how much that was."""
    total = 0
    while taken := route_signals(tenant_id=tenant.pk) + advance_due(tenant_id=tenant.pk, now=now):
        total += taken
    return total


def run_of(tenant: Tenant, run_id: int) -> Run:
    """The run as it stands."""
    with tenant_scope(tenant.pk):
        return Run.objects.for_tenant(tenant.pk).get(pk=run_id)


def end_of(tenant: Tenant, run_id: int) -> str:
    """Why a run ended, in words."""
    run = run_of(tenant, run_id)
    with tenant_scope(tenant.pk):
        return spoken(tenant.pk, [run_id], [run.terminal_reason]).get(run.terminal_reason, run.terminal_reason)


def told_of(tenant: Tenant, run_id: int, reason: str = "") -> list[dict[str, Any]]:
    """The contexts of the trace in words, in order; those of one reason, if given."""
    with tenant_scope(tenant.pk):
        lines = in_words(tenant.pk, Transition.objects.filter(tenant_id=tenant.pk, run_id=run_id).in_order())
    return [line.context for line in lines if reason in ("", line.reason)]


def moves_of(tenant: Tenant, run_id: int) -> list[tuple[str, str, str, str]]:
    """The trace as (from, to, cause, reason)."""
    with tenant_scope(tenant.pk):
        trace = Transition.objects.filter(tenant_id=tenant.pk, run_id=run_id).in_order()
        return list(trace.values_list("from_state", "to_state", "cause", "reason"))


def reasons_of(tenant: Tenant, run_id: int) -> list[str]:
    """The reasons of the trace, in order."""
    return [move[3] for move in moves_of(tenant, run_id)]


def waits_of(tenant: Tenant, run_id: int) -> list[tuple[str, int, str]]:
    """(step, visit, outcome) of every wait of a run, in order."""
    with tenant_scope(tenant.pk):
        waits = Wait.objects.filter(tenant_id=tenant.pk, run_id=run_id).order_by("id")
        return list(waits.values_list("step", "visit", "outcome"))


def verdicts_of(tenant: Tenant, receipt: Receipt) -> list[tuple[int, str, str]]:
    """(run id, verdict, reason) of a signal, by run."""
    with tenant_scope(tenant.pk):
        rows = SignalVerdict.objects.filter(tenant_id=tenant.pk, signal__public_id=receipt.public_id).order_by("run_id")
        return list(rows.values_list("run_id", "verdict", "reason"))


def signal_of(tenant: Tenant, receipt: Receipt) -> Signal:
    """The stored signal."""
    with tenant_scope(tenant.pk):
        return Signal.objects.get(tenant_id=tenant.pk, public_id=receipt.public_id)


def rows_of(tenant: Tenant, models: Sequence[Any] = (Run, Transition, Wait, SignalVerdict)) -> list[int]:
    """How many rows a tenant has in each table: a refusal leaves them all as they were."""
    with tenant_scope(tenant.pk):
        return [model.objects.filter(tenant_id=tenant.pk).count() for model in models]
