"""Taking from the limits of a tenant: all that a request needs, or nothing.

One statement locks the buckets in one order, looks whether all have enough, and only then takes. Whoever comes at the
same time waits for the end of that transaction and sees what it left; a transaction that is rolled back gives back.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from tenants.limits.board import limits_of
from tenants.limits.budget import Budget
from tenants.limits.errors import BeyondLimit, LimitReached
from tenants.limits.kinds import PERIOD, LimitKind
from tenants.scope import tenant_scope
from tenants.sql import execute, fetch

KNOWN_TAKERS = 30  # names that a bucket remembers; the rest together are `others`
UNKNOWN = -(10**15)  # of what is there: it has to be counted before anything is let in
# Of what is there (no period), `remaining` is how many there were at most, as a negative number: the amount may change.
LEFT = """CASE WHEN a.period = 0 THEN a.amount + u.remaining ELSE
 least(a.amount, u.remaining
       + greatest(0, extract(epoch FROM clock_timestamp() - u.filled_at)) * a.amount / a.period) END"""
CURRENT = "u.since > clock_timestamp() - make_interval(secs => a.period)"  # what `used_by` says is of this period
_ASKED = """unnest(%(kinds)s::text[], %(amounts)s::bigint[], %(wanted)s::bigint[], %(periods)s::int[])
         AS a (kind, amount, wanted, period)"""
_TAKE = f"""
WITH held AS (
  SELECT u.kind, a.amount, a.wanted, a.period, {LEFT} AS remaining, clock_timestamp() AS now,
         CASE WHEN {CURRENT} THEN u.used_by ELSE '{{}}' END AS used_by
    FROM tenants_limituse u JOIN {_ASKED} USING (kind) WHERE u.tenant_id = %(tenant)s ORDER BY u.kind FOR UPDATE OF u),
taken AS (
  UPDATE tenants_limituse u
     SET remaining = h.remaining - h.wanted - CASE WHEN h.period = 0 THEN h.amount ELSE 0 END,
         filled_at = CASE WHEN h.period = 0 THEN u.filled_at ELSE h.now END,
         since = CASE WHEN h.used_by = '{{}}' THEN h.now ELSE u.since END,
         used_by = h.used_by || jsonb_build_object(t.name, coalesce((h.used_by ->> t.name)::bigint, 0) + h.wanted)
    FROM held h CROSS JOIN LATERAL (
           SELECT CASE WHEN h.used_by ? %(by)s::text OR (SELECT count(*) FROM jsonb_object_keys(h.used_by)) < %(most)s
                       THEN %(by)s::text ELSE 'others' END AS name) t
   WHERE u.tenant_id = %(tenant)s AND u.kind = h.kind
     AND (SELECT count(*) = %(count)s AND bool_and(remaining >= wanted) FROM held)
  RETURNING u.kind)
SELECT kind, amount, wanted, remaining::float8, EXISTS (SELECT FROM taken) FROM held ORDER BY kind
"""  # noqa: S608  text of our own
_HOLD = """
SELECT kind FROM tenants_limituse WHERE tenant_id = %(tenant)s AND kind = ANY(%(kinds)s) ORDER BY kind FOR UPDATE
"""
_MAKE = """
INSERT INTO tenants_limituse (tenant_id, kind, remaining, filled_at, since, used_by)
SELECT %(tenant)s, a.kind, CASE WHEN a.period = 0 THEN %(unknown)s ELSE a.amount END,
       clock_timestamp(), clock_timestamp(), '{}'
  FROM unnest(%(kinds)s::text[], %(amounts)s::bigint[], %(periods)s::int[]) AS a (kind, amount, period)
ON CONFLICT (tenant_id, kind) DO NOTHING
"""
_COUNTED = """
UPDATE tenants_limituse SET remaining = %s, filled_at = clock_timestamp() WHERE tenant_id = %s AND kind = %s
"""

Counter = Callable[[int, int], int]
_counters: dict[str, Counter] = {}
_taker: ContextVar[str] = ContextVar("limit_taker", default="in process")


def register_counter(kind: LimitKind, counter: Counter) -> None:
    """For limits on what is there, not on what comes: `counter(tenant_id, most)` counts it, at most so many."""
    _counters[kind] = counter


def count_now(tenant_id: int, kind: LimitKind, most: int) -> int | None:
    """How many there are now, at most so many; None for limits on what comes."""
    return _counters[kind](tenant_id, most) if kind in _counters else None


@contextmanager
def taking_as(name: str) -> Iterator[None]:
    """Whoever takes from a limit inside is remembered under this name."""
    token = _taker.set(name[:80])
    try:
        yield
    finally:
        _taker.reset(token)


def take(tenant_id: int, wanted: Mapping[LimitKind, int]) -> list[Budget]:
    """Take all of it; what is left of each limit that the tenant has. Joins the caller's transaction.

    Without limits nothing is asked of the database. Raises `LimitReached` and `BeyondLimit`, and then took nothing.
    """
    limits = limits_of(tenant_id)
    asked = {kind: (limits[kind], count) for kind, count in wanted.items() if count and kind in limits}
    if not asked:
        return []
    for kind, (amount, count) in asked.items():
        if count > amount > 0:
            raise BeyondLimit(Budget(kind, amount, 0), count)
    with tenant_scope(tenant_id):
        return _take(tenant_id, asked)


def take_some(tenant_id: int, kinds: Collection[LimitKind], most: int) -> tuple[int, str]:
    """Take one of each kind for as many of `most` as fit; how many those are, and the limit that the rest met."""
    fits, met = most, ""
    for _ in range(len(kinds) + 2):  # each limit may leave less room, and others take meanwhile
        try:
            take(tenant_id, dict.fromkeys(kinds, fits))
            return fits, met
        except (LimitReached, BeyondLimit) as error:
            room = error.budget.left if isinstance(error, LimitReached) else error.budget.amount
            fits, met = min(fits - 1, room), str(error.budget.kind)
        if fits <= 0:
            break
    return 0, met


def hold(tenant_id: int, kinds: Collection[LimitKind]) -> None:
    """Lock those of the limits that the tenant has, for a transaction that takes of them later.

    Limits come first in the order of locks: who waits for one must hold no other row, or they deadlock with those who
    hold one and want the row. Needs the tenant's scope around it.
    """
    limits = limits_of(tenant_id)
    mine = {kind: limits[kind] for kind in kinds if kind in limits}
    given = {"tenant": tenant_id, "kinds": [str(kind) for kind in mine], "amounts": [*mine.values()]}
    given |= {"periods": [PERIOD[kind] for kind in mine], "unknown": UNKNOWN}
    while mine and len(fetch(_HOLD, given)) < len(mine):
        execute(_MAKE, given)


def _take(tenant_id: int, asked: Mapping[LimitKind, tuple[int, int]]) -> list[Budget]:
    given = {
        "tenant": tenant_id,
        "kinds": [str(kind) for kind in asked],
        "amounts": [amount for amount, _ in asked.values()],
        "wanted": [count for _, count in asked.values()],
        "periods": [PERIOD[kind] for kind in asked],
        "by": _taker.get(),
        "most": KNOWN_TAKERS,
        "count": len(asked),
        "unknown": UNKNOWN,
    }
    counted: set[LimitKind] = set()
    while True:
        rows = fetch(_TAKE, given)
        if len(rows) < len(asked):
            execute(_MAKE, given)
            continue
        found = [(Budget(LimitKind(kind), amount, remaining), count) for kind, amount, count, remaining, _ in rows]
        if rows[0][4]:
            return [Budget(one.kind, one.amount, one.remaining - count) for one, count in found]
        short = [(one, count) for one, count in found if one.remaining < count]
        to_count = [one for one, _ in short if one.kind in _counters and one.kind not in counted]
        if not to_count:
            raise LimitReached(*max(short, key=lambda each: each[0].seconds_until(each[1])))
        for one in to_count:
            _count(tenant_id, one)
            counted.add(one.kind)


def _count(tenant_id: int, budget: Budget) -> None:
    """Room for as many as are missing. Whoever adds one holds the same row, so nothing is added meanwhile."""
    there = _counters[budget.kind](tenant_id, budget.amount)
    execute(_COUNTED, [-there if there < budget.amount else UNKNOWN, tenant_id, budget.kind])
