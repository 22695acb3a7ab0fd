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
from tenants.sql import arrays, execute, fetch, given, insert
from workflows.definitions.durations import parse_duration
from workflows.definitions.paths import MISSING
from workflows.steps.base import HELD, Claim, Outcome, PlannedStep
from workflows.steps.naming import Name, by_of, facts_at, name_of
from workflows.withheld.noting import note_withheld

Used = tuple[datetime, str]
"""When a visit passed or has its turn, and its effect key."""
PASSED, LIMITED, DELAY = "passed", "limited", "delay"
MOST_NAMED = 5  # runs that an explanation names
# Of one transaction, and let go with it, in one order for all. A collision of hashes only means waiting.
_LOCK = """
SELECT pg_advisory_xact_lock(k) FROM (
    SELECT DISTINCT hashtextextended(n, 0) AS k FROM unnest(%s::text[]) u(n) ORDER BY 1 OFFSET 0) s
"""
# The newest first, turns that are to come among them: as many as decide whether there is room.
_NAME = {"definition_key": "text", "step": "text", "subject": "text", "name_sha": "bytea"}
_ASKED = {**_NAME, "since": "timestamptz", "most": "int"}
_NEWEST = f"""
SELECT u.n, p.at, p.key FROM {given(_ASKED, "n")} CROSS JOIN LATERAL (
    SELECT at, key FROM workflows_throttlepass
     WHERE tenant_id = %s AND definition_key = u.definition_key AND step = u.step AND subject = u.subject
       AND name_sha = u.name_sha AND at > u.since AND key <> %s AND (passed OR %s)
     ORDER BY at DESC, id DESC LIMIT u.most) p
 ORDER BY u.n, p.at DESC
"""  # noqa: S608  column names of our own
_PASS = {**_NAME, "key": "text", "at": "timestamptz", "expires_at": "timestamptz", "passed": "boolean"}
_TAKE = insert(
    "workflows_throttlepass",
    _PASS,
    "ON CONFLICT (tenant_id, key) DO UPDATE "
    "SET at = excluded.at, expires_at = excluded.expires_at, passed = excluded.passed",
)
_MINE = """
SELECT definition_key, step, subject, name_sha, passed FROM workflows_throttlepass WHERE tenant_id = %s AND key = %s
"""
# A turn that nobody has taken yet stays, however late its run comes to it.
_FORGET = "DELETE FROM workflows_throttlepass WHERE tenant_id = %s AND expires_at <= %s AND passed"
_GIVE_BACK = """
DELETE FROM workflows_throttlepass p USING workflows_steprun s
 WHERE p.tenant_id = %s AND NOT p.passed AND s.tenant_id = p.tenant_id AND s.key = p.key AND s.id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Budget:
    """How many may pass under one name within the window that ends now."""

    name: Name
    threshold: int
    window: timedelta
    said: str  # 3 per PT1H

    @classmethod
    def of(cls, name: Name, step: Mapping[str, Any]) -> "Budget":
        """As the step says."""
        window = step["window"]
        return cls(name, step["threshold"], parse_duration(window), f"{step['threshold']} per {window}")


class Ledger:
    """What was taken under some names, which are locked, and what is taken now: read and written in one statement."""

    def __init__(self, tenant_id: int, budgets: Sequence[Budget], now: datetime, key: str = "") -> None:
        """Of what the visit `key` has itself nothing counts."""
        self.tenant_id, self.now, self._key = tenant_id, now, key
        told = sorted({f"{tenant_id}/throttle/{'/'.join(one.name[:3])}/{one.name[3].hex()}" for one in budgets})
        fetch(_LOCK, [told])
        self._used = self._read(budgets, turns=True)
        self._rows: list[tuple[Any, ...]] = []

    def full(self, budget: Budget) -> list[Used]:
        """What uses the budget up, turns to come among it, newest first; empty when there is room."""
        return _full(budget, self._used[budget.name], self.now)

    def full_by_passes(self, budget: Budget) -> bool:
        """Whether what has passed uses it up; turns to come do not count."""
        return bool(_full(budget, self._read([budget], turns=False)[budget.name], self.now))

    def take(self, budget: Budget, key: str, at: datetime, *, passed: bool) -> None:
        """A visit passes at that moment, or has its turn then."""
        self._used[budget.name] = sorted([(at, key), *self._used[budget.name]], reverse=True)
        self._rows.append((*budget.name, key, at, at + budget.window, passed))

    def write(self) -> None:
        """Store what was taken."""
        if self._rows:
            execute(_TAKE, [self.tenant_id, *arrays(self._rows, _PASS)])

    def _read(self, budgets: Sequence[Budget], *, turns: bool) -> dict[Name, list[Used]]:
        """Versions of a definition may differ in what they allow: as much as any of them asks for."""
        asked: dict[Name, tuple[datetime, int]] = {}
        for one in budgets:
            since, most = asked.get(one.name, (self.now, 0))
            asked[one.name] = min(since, self.now - one.window), max(most, one.threshold)
        names = sorted(asked)
        rows = [(*name, *asked[name]) for name in names]
        used: dict[Name, list[Used]] = {name: [] for name in names}
        for n, at, key in fetch(_NEWEST, [*arrays(rows, _ASKED), self.tenant_id, self._key, turns]):
            used[names[n - 1]].append((at, key))
        return used


def pass_throttles(*, planned: Sequence[PlannedStep], now: datetime) -> dict[int, Outcome]:
    """Who of these visits, all of one tenant, passes; outcomes by step run id. Needs the tenant's scope.

    A few statements, however many runs move together.
    """
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
            named.append((Budget.of(name_of(one, address), one.step.config), one))
    if named:
        ledger = Ledger(tenant_id, [budget for budget, _ in named], now)
        outcomes |= {one.step_run_id: _try(ledger, budget, one) for budget, one in named}
        ledger.write()
    withheld = {one.step_run_id: one.subject for one in planned if outcomes[one.step_run_id].word != PASSED}
    note_withheld(tenant_id, withheld)
    return outcomes


def take_turn(*, claim: Claim, now: datetime) -> Outcome:
    """The turn of a delayed visit has come: it passes, or gets another if the window is full after all."""
    found = fetch(_MINE, [claim.tenant_id, claim.key])
    if not found or found[0][-1]:
        return Outcome(PASSED)  # a worker before took it, and died, maybe so long ago that it was forgotten
    name = found[0]
    budget = Budget.of((name[0], name[1], name[2], bytes(name[3])), claim.step)
    ledger = Ledger(claim.tenant_id, [budget], now, claim.key)
    if ledger.full_by_passes(budget):
        outcome = _delay(ledger, budget, claim.key)
    else:
        ledger.take(budget, claim.key, now, passed=True)
        outcome = Outcome(PASSED)
    ledger.write()
    return outcome


def give_back(tenant_id: int, step_run_ids: Sequence[int]) -> None:
    """Runs that end give back the turns that have not come."""
    execute(_GIVE_BACK, [tenant_id, list(step_run_ids)])


def forget_passes(tenant_id: int, now: datetime) -> int:
    """Delete what does not count any more; how many there were. Needs the tenant's scope."""
    return execute(_FORGET, [tenant_id, now])


def _try(ledger: Ledger, budget: Budget, one: PlannedStep) -> Outcome:
    used = ledger.full(budget)
    if not used:
        ledger.take(budget, one.key, ledger.now, passed=True)
        return Outcome(PASSED)
    if one.step.config.get("on_limit") == DELAY:
        return _delay(ledger, budget, one.key)
    return Outcome(LIMITED, context=_told(budget, used))


def _delay(ledger: Ledger, budget: Budget, key: str) -> Outcome:
    """Its turn is when the oldest of those that count, turns among them, has left the window."""
    used = ledger.full(budget)
    at = used[-1][0] + budget.window
    ledger.take(budget, key, at, passed=False)
    told = {"decided_by": "throttle", "until": at.isoformat(), **_told(budget, used)}
    return Outcome(HELD, until=at, context=told)


def _full(budget: Budget, used: Sequence[Used], now: datetime) -> list[Used]:
    counting = [one for one in used if one[0] > now - budget.window][: budget.threshold]
    return counting if len(counting) == budget.threshold else []


def _told(budget: Budget, used: Sequence[Used]) -> dict[str, Any]:
    runs = [key.split(":")[0] for _, key in used]
    free_at = used[-1][0] + budget.window
    return {"rule": budget.said, "passed": runs[:MOST_NAMED], "used": len(used), "free_at": free_at.isoformat()}


def _nameless(one: PlannedStep) -> Outcome:
    is_open = one.step.config.get("missing_key", "open") == "open"
    return Outcome(PASSED if is_open else LIMITED, context={"missing": "by"})
