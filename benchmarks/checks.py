"""What must hold after a benchmark, however fast it was: nothing lost, every trace intact."""

import math
import random
import uuid
from collections.abc import Iterable, Mapping

from benchmarks.meter import Observer
from benchmarks.report import Check
from workflows.verify import verify_trace

MOST_TRACES = 200_000  # looked at for gaps
PACE = 0.95
_GAPS = """
SELECT count(*), count(*) FILTER (WHERE lines <> r.seq OR last IS DISTINCT FROM r.seq)
  FROM workflows_run r CROSS JOIN LATERAL (
    SELECT count(*) AS lines, max(seq) AS last FROM workflows_transition t
     WHERE t.tenant_id = r.tenant_id AND t.run_id = r.id
  ) AS trace WHERE r.tenant_id = ANY(%s) AND r.id %% %s = %s
"""
_RUNS = "SELECT count(*) FROM workflows_run WHERE tenant_id = %s"
_SAMPLE = "SELECT public_id FROM workflows_run WHERE tenant_id = %s AND id >= %s ORDER BY id LIMIT %s"
_SPAN = "SELECT coalesce(min(id), 0), coalesce(max(id), 0) FROM workflows_run WHERE tenant_id = %s"


def runs_in_state(observer: Observer, tenant_id: int, state: str, expected: int) -> Check:
    """As many runs as were started are there, and each of them is in this state."""
    found = observer.one(f"{_RUNS} AND state = %s", tenant_id, state)
    total = observer.one(_RUNS, tenant_id)
    return Check(f"{expected:,} runs, all {state}", found == total == expected, f"({found:,} of {total:,})")


def count_in_state(observer: Observer, tenant_id: int, state: str, expected: int) -> Check:
    """So many runs of the tenant are in this state; others may be elsewhere."""
    found = observer.one(f"{_RUNS} AND state = %s", tenant_id, state)
    return Check(f"{expected:,} runs {state}", found == expected, f"({found:,})")


def signals_matched(observer: Observer, tenant_id: int, expected: int) -> Check:
    """As many signals as were sent are stored, and each of them was routed and moved a run."""
    sql = """
        SELECT count(*), count(*) FILTER (WHERE routed_at IS NOT NULL AND verdict = 'matched') FROM signals_app_signal
         WHERE tenant_id = %s
    """
    total, matched = observer.row(sql, tenant_id)
    return Check(f"{expected:,} signals, all matched", matched == total == expected, f"({matched:,} of {total:,})")


def signals_of_each_matched(observer: Observer, sent: Mapping[int, int]) -> Check:
    """The same for several tenants, by how many signals each of them sent."""
    failed = [tenant_id for tenant_id, count in sent.items() if not signals_matched(observer, tenant_id, count).holds]
    return Check(f"{sum(sent.values()):,} signals of {len(sent)} others, all matched", not failed, str(failed or ""))


def no_gaps(observer: Observer, *tenant_ids: int, most: int = MOST_TRACES) -> Check:
    """The lines of every trace are numbered 1 to n, and n is what the run says. Of very many runs every so manyth."""
    tenants = list(tenant_ids)
    total = observer.one("SELECT count(*) FROM workflows_run WHERE tenant_id = ANY(%s)", tenants)
    each = max(1, math.ceil(total / most))
    looked, found = observer.row(_GAPS, tenants, each, random.randrange(each))
    what = f"no gap in {looked:,} of {total:,} traces"
    return Check(what, looked > 0 and found == 0, f"({found:,} with gaps)")


def kept_pace(what: str, sent: int, rate: float, seconds: float) -> Check:
    """Nearly as much was sent as was to be sent: a load that was never there proves nothing."""
    wanted = math.floor(PACE * rate * seconds)
    return Check(f"{what} sent at least {wanted:,} signals", sent >= max(1, wanted), f"({sent:,})")


def traces_verify(observer: Observer, tenant_id: int, sample: int) -> Check:
    """`verify_trace` finds nothing wrong with runs here and there."""
    faults, seen = [], 0
    for public_id in _some_runs(observer, tenant_id, sample):
        seen += 1
        faults += list(verify_trace(tenant_id=tenant_id, public_id=public_id))
    told = "; ".join(f"{fault.run} {fault.seq} {fault.code}" for fault in faults[:3])
    return Check(f"verify_trace on {seen:,} runs", seen > 0 and not faults, told)


def _some_runs(observer: Observer, tenant_id: int, sample: int) -> Iterable[uuid.UUID]:
    """Runs in a few stretches, spread over all that the tenant has."""
    first, last = observer.row(_SPAN, tenant_id)
    found: dict[uuid.UUID, None] = {}
    for start in sorted({first, *(random.randint(first, last) for _ in range(sample // 10))}):
        found |= dict.fromkeys(row[0] for row in observer.rows(_SAMPLE, tenant_id, start, 10))
    return list(found)[:sample]
