"""A hold and whatever takes away take turns: both orders, each seen to wait for the other."""

from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from typing import Any

import pytest

from deliveries.models import InboxItem
from signals_app.models import Signal
from signals_app.subjects.erase import erase_subject
from tenants.models import Tenant
from tenants.scope import database_now, tenant_scope
from tests.admin.conftest import journey
from tests.journeys import drain, publish, rows_of, run_of, send, start
from tests.retention.conftest import exists, keep, prune
from workflows.errors import RunNotFound
from workflows.models import Kept, LegalHold, Run
from workflows.retention.errors import SubjectHeld
from workflows.retention.holds import place_hold, release_hold
from workflows.retention.registry import Authority, Part, pruner_of
from workflows.retention.tombstones import count_tombstones


def hold(tenant: Tenant, on: str = "subject", value: Any = "ada") -> LegalHold:
    return place_hold(tenant_id=tenant.pk, on=on, value=str(value), reason="court", placed_by="ada")


def erase(tenant: Tenant, **how: Any) -> Any:
    return erase_subject(tenant_id=tenant.pk, subject="ada", cause="api", cause_ref="key", **how)


def age(tenant: Tenant, model: Any, column: str) -> None:
    with tenant_scope(tenant.pk):
        model.objects.filter(tenant_id=tenant.pk).update(**{column: database_now() - timedelta(days=100)})


@pytest.mark.parametrize("on", ["run", "subject", "definition"])
def test_a_prune_that_waited_for_a_hold_keeps_the_run(
    tenant: Tenant, ended: Callable[..., Run], meanwhile: Callable[..., Future[Any]], on: str
) -> None:
    run = ended(tenant)
    keep(tenant)

    with tenant_scope(tenant.pk):
        hold(tenant, on, {"run": run.public_id, "subject": "ada", "definition": "dunning"}[on])
        pruning = meanwhile(lambda: prune(tenant))

    assert pruning.result(10) == {"left": 1}
    assert exists(tenant, run)
    assert count_tombstones(tenant_id=tenant.pk) == 0


def test_a_hold_that_waited_for_a_prune_finds_no_run(
    tenant: Tenant, ended: Callable[..., Run], meanwhile: Callable[..., Future[Any]]
) -> None:
    run = ended(tenant)
    pruner, part = pruner_of("completed"), Part(Kept.COMPLETED, database_now() - timedelta(days=30))
    batch = pruner.prepare(tenant.pk, part, None)

    with tenant_scope(tenant.pk):
        pruner.take(tenant.pk, part, batch, Authority("ada", "too old"))
        holding = meanwhile(lambda: hold(tenant, "run", run.public_id))

    with pytest.raises(RunNotFound):
        holding.result(10)
    assert rows_of(tenant, (LegalHold,)) == [0]
    assert count_tombstones(tenant_id=tenant.pk) == 1


def test_a_hold_is_waited_for_by_every_prune(tenant: Tenant, meanwhile: Callable[..., Future[Any]]) -> None:
    publish(tenant, journey("dunning"))
    start(tenant, "dunning", correlation={"invoice_id": "42"})
    drain(tenant)
    send(tenant, "order.made", subject="ada")
    drain(tenant)
    age(tenant, InboxItem, "created_at")
    age(tenant, Signal, "received_at")
    keep(tenant, "inbox")
    keep(tenant, "signals")

    with tenant_scope(tenant.pk):
        placed = hold(tenant)
        pruning = meanwhile(lambda: prune(tenant))

    assert pruning.result(10) == {}
    release_hold(tenant_id=tenant.pk, public_id=placed.public_id, released_by="bob")
    assert prune(tenant) == {"inbox_item": 1, "signal": 1, "signal_key": 1}


@pytest.mark.parametrize("on", ["run", "subject", "definition"])
def test_nothing_that_is_held_is_erased(
    tenant: Tenant, ended: Callable[..., Run], meanwhile: Callable[..., Future[Any]], on: str
) -> None:
    run = ended(tenant)

    with tenant_scope(tenant.pk):
        placed = hold(tenant, on, {"run": run.public_id, "subject": "ada", "definition": "dunning"}[on])
        erasing = meanwhile(lambda: erase(tenant))

    with pytest.raises(SubjectHeld):
        erasing.result(10)
    with pytest.raises(SubjectHeld):
        erase(tenant, dry_run=True)
    assert run_of(tenant, run.pk).subject == "ada"
    release_hold(tenant_id=tenant.pk, public_id=placed.public_id, released_by="bob")
    assert erase(tenant).counts["runs"] == 1


def test_a_released_hold_forgets_whom_it_was_about(tenant: Tenant) -> None:
    placed = hold(tenant)
    release_hold(tenant_id=tenant.pk, public_id=placed.public_id, released_by="bob")

    erased = erase(tenant)

    assert erased.counts["holds"] == 1
    with tenant_scope(tenant.pk):
        assert LegalHold.objects.get(tenant_id=tenant.pk).value == erased.pseudonym
    assert erase(tenant).is_repeated
