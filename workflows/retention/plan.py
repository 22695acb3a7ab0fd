"""Planning: what the policies would take away now, counted, under a token that only this very plan has."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tenants.scope import tenant_scope
from workflows.models.retention import Kept, RetentionPolicy
from workflows.retention.errors import PlanChanged
from workflows.retention.registry import Measure, Part, pruner_of

GOOD_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class PlannedPart:
    """What one policy would take away."""

    part: Part
    days: int
    measure: Measure


@dataclass(frozen=True, slots=True)
class Plan:
    """What all policies together would take away as of an instant. `token` approves this and no other plan."""

    as_of: datetime
    token: str
    parts: tuple[PlannedPart, ...]


def plan_retention(*, tenant_id: int, as_of: datetime | None = None) -> Plan:
    """What would be pruned now, or as of an instant. Reads only."""
    with tenant_scope(tenant_id) as scope:
        now = as_of or scope.now
        policies = RetentionPolicy.objects.filter(tenant_id=tenant_id).order_by("what")
        parts = tuple(_planned(tenant_id, policy, now) for policy in policies)
    return Plan(now, _token(tenant_id, now, parts), parts)


def require_plan(*, tenant_id: int, token: str) -> Plan:
    """The plan with this token, if making it again gives the same. Raises `PlanChanged`."""
    with tenant_scope(tenant_id) as scope:
        as_of = _as_of(token)
        if as_of is None or not scope.now - GOOD_FOR <= as_of <= scope.now:
            raise PlanChanged("There is no such plan, or it is older than a day; make a new one.")
        plan = plan_retention(tenant_id=tenant_id, as_of=as_of)
        if plan.token != token:
            raise PlanChanged(detail={"plan": plan.token})
        return plan


def _planned(tenant_id: int, policy: RetentionPolicy, now: datetime) -> PlannedPart:
    part = Part(Kept(policy.what), now - timedelta(days=policy.days), policy.archives)
    return PlannedPart(part, policy.days, pruner_of(policy.what).measure(tenant_id, part))


def _token(tenant_id: int, as_of: datetime, parts: tuple[PlannedPart, ...]) -> str:
    """The instant, so that the plan can be made again, and a digest of everything it says."""
    said = [
        [one.part.what, one.days, one.part.archives, one.measure.count, one.measure.held, one.measure.digest]
        for one in parts
    ]
    micros = int(as_of.timestamp() * 1_000_000)
    digest = hashlib.sha256(json.dumps([tenant_id, micros, said]).encode()).hexdigest()
    return f"{micros:x}.{digest[:32]}"


def _as_of(token: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(token.partition(".")[0], 16))
    except (ValueError, OverflowError):
        return None
