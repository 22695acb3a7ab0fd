"""Counting who passes a throttle, under a lock of the name: however many come at once, no more pass than may.

A pass counts from the moment at which it is taken. Where the step delays what comes too much, that visit gets the
first moment at which the window has room as its turn; the turn is taken for good only when the visit comes to it, and
is given anew when the visit comes late, because its run was paused, and the window is full by then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from signals_app.services.payloads import canonical, write_payloads
from workflows.definitions.durations import parse_duration
from workflows.definitions.paths import MISSING
from workflows.steps.base import HELD, Claim, Outcome, PlannedStep
from workflows.steps.naming import Name, by_of, facts_at, name_of
from workflows.store.sql import arrays, execute, fetch, insert

Used = tuple[datetime, str]
"""When a visit passed or has its turn, and its effect key."""
PASSED, LIMITED, DELAY = "passed", "limited", "delay"
MOST_NAMED = 5  # runs that an explanation names
# Of one transaction, and let go with it, in one order for all. A collision of hashes only means waiting.
_LOCK = """
SELECT pg_advisory_xact_lock(k) FROM (
    SELECT DISTINCT hashtextextended(n, 0) AS k FROM unnest(%s::text[]) u(n) ORDER BY 1 OFFSET 0) s
"""
# The newest first, turns that are to come among them: as many as decide whether there is room, and who they are.
_NEWEST = """
SELECT at, key FROM workflows_throttlepass
 WHERE tenant_id = %s AND definition_key = %s AND step = %s AND subject = %s AND name_sha = %s AND at > %s
   AND key <> %s AND (passed OR %s)
 ORDER BY at DESC, id DESC LIMIT %s
"""
_PASS = {
    "definition_key": "text",
    "step": "text",
    "subject": "text",
    "name_sha": "bytea",
    "key": "text",
    "at": "timestamptz",
    "expires_at": "timestamptz",
    "passed": "boolean",
}
_TAKE = insert(
    "workflows_throttlepass",
    _PASS,
    "ON CONFLICT (tenant_id, key) DO UPDATE "
    "SET at = excluded.at, expires_at = excluded.expires_at, passed = excluded.passed",
)
_MINE = """
SELECT definition_key, step, subject, name_sha, passed FROM workflows_throttlepass WHERE tenant_id = %s AND key = %s
"""
_FORGET = "DELETE FROM workflows_throttlepass WHERE tenant_id = %s AND expires_at <= %s"
_GIVE_BACK = """
DELETE FROM workflows_throttlepass p USING workflows_steprun s
 WHERE p.tenant_id = %s AND NOT p.passed AND s.tenant_id = p.tenant_id AND s.key = p.key AND s.id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Budget:
    """How many may pass under one name within the window that ends now."""

    tenant_id: int
    name: Name
    threshold: int
    window: timedelta
    said: str  # 3 per PT1H

    @classmethod
    def of(cls, tenant_id: int, name: Name, step: Mapping[str, Any]) -> "Budget":
        """As the step says."""
        window = step["window"]
        return cls(tenant_id, name, step["threshold"], parse_duration(window), f"{step['threshold']} per {window}")

    def used(self, now: datetime, key: str, *, turns: bool) -> list[Used]:
        """What uses it up besides the visit itself, newest first, if it is full; with `turns` those to come count."""
        asked = [self.tenant_id, *self.name, now - self.window, key, turns, self.threshold]
        rows = fetch(_NEWEST, asked)
        return [(at, other) for at, other in rows] if len(rows) == self.threshold else []

    def take(self, key: str, at: datetime, *, passed: bool) -> None:
        """A visit passes at that moment, or has its turn then."""
        row = (*self.name, key, at, at + self.window, passed)
        execute(_TAKE, [self.tenant_id, *arrays([row], _PASS)])


def pass_throttles(*, planned: Sequence[PlannedStep], now: datetime) -> dict[int, Outcome]:
    """Who of these visits, all of one tenant, passes; outcomes by step run id. Needs the tenant's scope."""
    tenant_id = planned[0].tenant_id
    by = {one.step_run_id: by_of(one.step.config, facts_at(one)) for one in planned}
    texts = {id_: canonical(said) for id_, said in by.items() if said is not MISSING and said}
    addresses = write_payloads(tenant_id=tenant_id, texts=texts.values())
    outcomes, named = {}, []
    for one in planned:
        if by[one.step_run_id] is MISSING:
            outcomes[one.step_run_id] = _nameless(one)
        else:
            address = addresses[texts[one.step_run_id]] if one.step_run_id in texts else b""
            named.append((name_of(one, address), one))
    _lock(tenant_id, [name for name, _ in named])
    for name, one in sorted(named, key=lambda each: (each[0], each[1].step_run_id)):
        outcomes[one.step_run_id] = _try(Budget.of(tenant_id, name, one.step.config), one, now)
    return outcomes


def take_turn(*, claim: Claim, now: datetime) -> Outcome:
    """The turn of a delayed visit has come: it passes, or gets another if the window is full after all."""
    ((*name, passed),) = fetch(_MINE, [claim.tenant_id, claim.key])
    if passed:
        return Outcome(PASSED)  # a worker before took it, and died
    budget = Budget.of(claim.tenant_id, (name[0], name[1], name[2], bytes(name[3])), claim.step)
    _lock(claim.tenant_id, [budget.name])
    if not budget.used(now, claim.key, turns=False):
        budget.take(claim.key, now, passed=True)
        return Outcome(PASSED)
    return _delay(budget, claim.key, now)


def give_back(tenant_id: int, step_run_ids: Sequence[int]) -> None:
    """Runs that end give back the turns that have not come."""
    execute(_GIVE_BACK, [tenant_id, list(step_run_ids)])


def forget_passes(tenant_id: int, now: datetime) -> int:
    """Delete what does not count any more; how many there were. Needs the tenant's scope."""
    return execute(_FORGET, [tenant_id, now])


def _try(budget: Budget, one: PlannedStep, now: datetime) -> Outcome:
    used = budget.used(now, one.key, turns=True)
    if not used:
        budget.take(one.key, now, passed=True)
        return Outcome(PASSED)
    if one.step.config.get("on_limit") == DELAY:
        return _delay(budget, one.key, now)
    return Outcome(LIMITED, context=_told(budget, used))


def _delay(budget: Budget, key: str, now: datetime) -> Outcome:
    """Its turn is when the oldest of those that count, turns among them, has left the window."""
    used = budget.used(now, key, turns=True)
    at = used[-1][0] + budget.window
    budget.take(key, at, passed=False)
    told = {"decided_by": "throttle", "until": at.isoformat(), **_told(budget, used)}
    return Outcome(HELD, until=at, context=told)


def _told(budget: Budget, used: Sequence[Used]) -> dict[str, Any]:
    runs = [key.split(":")[0] for _, key in used]
    free_at = used[-1][0] + budget.window
    return {"rule": budget.said, "passed": runs[:MOST_NAMED], "used": len(used), "free_at": free_at.isoformat()}


def _nameless(one: PlannedStep) -> Outcome:
    is_open = one.step.config.get("missing_key", "open") == "open"
    return Outcome(PASSED if is_open else LIMITED, context={"missing": "by"})


def _lock(tenant_id: int, names: Sequence[Name]) -> None:
    if names:
        told = [f"{tenant_id}/throttle/{key}/{step}/{subject}/{sha.hex()}" for key, step, subject, sha in names]
        fetch(_LOCK, [told])
