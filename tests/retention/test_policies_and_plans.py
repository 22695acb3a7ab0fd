"""What would be pruned is counted first, and pruned only if it is still the same."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chimeway_py.errors import Invalid
from tenants.models import Tenant
from tenants.scope import database_now, tenant_scope
from tests.retention.conftest import exists, keep, prune
from workflows.models import PruneOrder, Run
from workflows.retention.errors import NoArchive, OrderNotFound, PlanChanged, PolicyNotFound
from workflows.retention.holds import place_hold
from workflows.retention.plan import Plan, plan_retention
from workflows.retention.policies import drop_policy, policies, set_policy
from workflows.retention.pruning import carry_out, order_prune


def order(tenant: Tenant, plan: Plan | str) -> PruneOrder:
    token = plan if isinstance(plan, str) else plan.token
    return order_prune(tenant_id=tenant.pk, plan=token, reason="too old", ordered_by="ada")


def orders_of(tenant: Tenant) -> int:
    with tenant_scope(tenant.pk):
        return PruneOrder.objects.filter(tenant_id=tenant.pk).count()


def test_a_plan_counts_and_changes_nothing(tenant: Tenant, ended: Callable[..., Run]) -> None:
    old, held = ended(tenant, days=90), ended(tenant, subject="bob")
    ended(tenant, days=3)
    keep(tenant)
    keep(tenant, "failed")
    place_hold(tenant_id=tenant.pk, on="subject", value="bob", reason="court", placed_by="ada")

    plan = plan_retention(tenant_id=tenant.pk)

    told = [(one.part.what, one.measure.count, one.measure.held, one.measure.oldest) for one in plan.parts]
    assert told == [("completed", 1, 1, old.finished_at), ("failed", 0, 0, None)]
    assert [exists(tenant, run) for run in (old, held)] == [True, True]


def test_without_a_policy_everything_is_kept(tenant: Tenant, ended: Callable[..., Run]) -> None:
    run = ended(tenant, days=9000)

    assert prune(tenant) == {}
    assert exists(tenant, run)


@pytest.mark.parametrize(
    "change",
    [
        lambda tenant, ended: ended(tenant, days=60),
        lambda tenant, ended: keep(tenant, days=31),
        lambda tenant, ended: keep(tenant, "expired"),
        lambda tenant, ended: drop_policy(tenant_id=tenant.pk, what="completed"),
        lambda tenant, ended: place_hold(
            tenant_id=tenant.pk, on="definition", value="dunning", reason="court", placed_by="ada"
        ),
    ],
    ids=["more runs", "other days", "another policy", "no policy", "a hold"],
)
def test_a_plan_that_changed_is_refused_and_nothing_is_pruned(
    tenant: Tenant, ended: Callable[..., Run], change: Callable[..., Any]
) -> None:
    run = ended(tenant)
    keep(tenant)
    plan = plan_retention(tenant_id=tenant.pk)
    change(tenant, ended)

    with pytest.raises(PlanChanged):
        order(tenant, plan)

    assert exists(tenant, run)
    assert orders_of(tenant) == 0


def test_what_ends_meanwhile_is_not_in_the_plan_and_does_not_change_it(
    tenant: Tenant, ended: Callable[..., Run]
) -> None:
    ended(tenant)
    keep(tenant)
    plan = plan_retention(tenant_id=tenant.pk)
    young = ended(tenant, days=0)

    done = carry_out(tenant_id=tenant.pk, public_id=order(tenant, plan).public_id)

    assert (done.pruned["run"], exists(tenant, young)) == (1, True)


@pytest.mark.parametrize("token", ["", "x", "zz.zz", "-1.0", "f" * 60, f"{10**30:x}.0"])
def test_a_token_of_no_plan_is_refused(tenant: Tenant, token: str) -> None:
    with pytest.raises(PlanChanged):
        order(tenant, token)


def test_a_plan_of_the_day_before_yesterday_is_refused(tenant: Tenant) -> None:
    old = plan_retention(tenant_id=tenant.pk, as_of=database_now() - timedelta(days=2))

    with pytest.raises(PlanChanged, match="older than a day"):
        order(tenant, old)


def test_another_tenants_plan_is_no_plan(tenant: Tenant, other_tenant: Tenant) -> None:
    with pytest.raises(PlanChanged):
        order(tenant, plan_retention(tenant_id=other_tenant.pk))
    mine = order(tenant, plan_retention(tenant_id=tenant.pk))
    with pytest.raises(OrderNotFound):
        carry_out(tenant_id=other_tenant.pk, public_id=mine.public_id)


def test_ordering_a_plan_twice_is_one_order(tenant: Tenant, ended: Callable[..., Run]) -> None:
    ended(tenant)
    keep(tenant)
    plan = plan_retention(tenant_id=tenant.pk)
    first = order(tenant, plan)
    carry_out(tenant_id=tenant.pk, public_id=first.public_id)

    assert order(tenant, plan).public_id == first.public_id
    assert orders_of(tenant) == 1


@pytest.mark.parametrize(
    ("what", "days", "how"),
    [
        ("nonsense", 5, {}),
        ("completed", 0, {}),
        ("completed", 40_000, {}),
        ("signals", 1, {}),
        ("inbox", 9, {"archives": True}),
    ],
)
def test_a_policy_that_cannot_be_is_refused(tenant: Tenant, what: str, days: int, how: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        set_policy(tenant_id=tenant.pk, what=what, days=days, changed_by="ada", **how)
    assert policies(tenant_id=tenant.pk) == []


def test_policies_are_each_tenants_own(tenant: Tenant, other_tenant: Tenant) -> None:
    keep(tenant)
    keep(tenant, days=60)

    assert [(one.what, one.days) for one in policies(tenant_id=tenant.pk)] == [("completed", 60)]
    assert policies(tenant_id=other_tenant.pk) == []
    with pytest.raises(PolicyNotFound):
        drop_policy(tenant_id=other_tenant.pk, what="completed")


def test_without_a_folder_nothing_is_archived(tenant: Tenant) -> None:
    with pytest.raises(NoArchive):
        keep(tenant, archives=True)
