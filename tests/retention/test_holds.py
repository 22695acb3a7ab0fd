"""What is held is not pruned, and is counted."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from chimeway_py.errors import Invalid
from tenants.models import Tenant
from tests.journeys import rows_of
from tests.retention.conftest import exists, keep, prune, sql
from workflows.errors import RunNotFound
from workflows.models import LegalHold, Run
from workflows.retention.errors import HoldNotFound
from workflows.retention.holds import holds, place_hold, release_hold

BURY = "SELECT id FROM bury_runs(%s, %s, 'ada', 'because', '')"


def hold(tenant: Tenant, on: str, value: Any) -> LegalHold:
    return place_hold(tenant_id=tenant.pk, on=on, value=str(value), reason="court", placed_by="ada")


@pytest.mark.parametrize("on", ["run", "subject", "definition"])
def test_a_held_run_stays_until_it_is_released(tenant: Tenant, ended: Callable[..., Run], on: str) -> None:
    run = ended(tenant)
    value = {"run": run.public_id, "subject": "ada", "definition": "dunning"}[on]
    placed = hold(tenant, on, value)
    keep(tenant)

    assert prune(tenant) == {}
    assert sql(tenant, BURY, tenant.pk, [run.pk]) == []
    assert exists(tenant, run)

    release_hold(tenant_id=tenant.pk, public_id=placed.public_id, released_by="bob")
    assert prune(tenant)["run"] == 1


def test_holds_concern_only_what_they_name(tenant: Tenant, other_tenant: Tenant, ended: Callable[..., Run]) -> None:
    mine, theirs = ended(tenant, subject="bob"), ended(other_tenant)
    hold(tenant, "subject", "ada")
    for owner in (tenant, other_tenant):
        keep(owner)

    assert prune(tenant)["run"] == prune(other_tenant)["run"] == 1
    assert [exists(tenant, mine), exists(other_tenant, theirs)] == [False, False]


def test_placing_and_releasing_twice_changes_nothing(tenant: Tenant) -> None:
    first = hold(tenant, "subject", "ada")

    assert hold(tenant, "subject", "ada").public_id == first.public_id
    released = release_hold(tenant_id=tenant.pk, public_id=first.public_id, released_by="bob")
    again = release_hold(tenant_id=tenant.pk, public_id=first.public_id, released_by="eve")

    assert (again.released_by, again.released_at) == ("bob", released.released_at)
    assert hold(tenant, "subject", "ada").public_id != first.public_id
    assert len(holds(tenant_id=tenant.pk)) == 1


def test_what_is_not_there_cannot_be_held_or_released(
    tenant: Tenant, other_tenant: Tenant, ended: Callable[..., Run]
) -> None:
    run = ended(tenant)

    for value in (run.public_id, uuid.uuid4(), "no id"):
        with pytest.raises(RunNotFound):
            hold(other_tenant, "run", value)
    for on, value in (("nothing", "x"), ("subject", ""), ("subject", "x" * 201)):
        with pytest.raises(Invalid):
            hold(tenant, on, value)
    with pytest.raises(HoldNotFound):
        release_hold(tenant_id=other_tenant.pk, public_id=hold(tenant, "subject", "ada").public_id, released_by="eve")
    assert rows_of(other_tenant, (LegalHold,)) == [0]


def test_a_hold_and_a_prune_at_one_moment(
    tenant: Tenant, ended: Callable[..., Run], together: Callable[..., list[Any]]
) -> None:
    """Whatever is held when the answer leaves is there for good; what was pruned before is not held."""
    keep(tenant)
    for _ in range(10):
        run = ended(tenant, subject=f"s-{uuid.uuid4().hex}")

        placed, buried = together(
            lambda run=run: hold(tenant, "run", run.public_id),
            lambda run=run: sql(tenant, BURY, tenant.pk, [run.pk]) and sql(tenant, "SELECT 1"),
        )

        assert isinstance(placed, LegalHold | RunNotFound)
        if not buried:
            assert exists(tenant, run)
