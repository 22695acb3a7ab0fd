"""Signing: which traces have grown and which runs were pruned since the last head, chained to it and signed.

What it costs grows with what was added, and not with how many runs there are: lines and tombstones are read once, in
order of their ids. Ids are given out before they are committed, so a line may appear behind one that was read already.
Hence the mark: an id that is seen, and after it a transaction number of our own. Whoever holds an id below the mark had
a number before that (a trace is written under the lock of its run, and taking that gives one). Once all smaller numbers
have ended, nothing can appear below the mark any more.
"""

import time
import uuid
from typing import NamedTuple

from tenants.models import Tenant
from tenants.scope import Scope, tenant_scope
from tenants.sql import execute, fetch
from workflows.heads.errors import NoHeadKey
from workflows.heads.keys import public_keys, sign
from workflows.heads.leaves import FIRST, Leaf, digest_of, document, pack
from workflows.models import TraceHead

MOST_LINES = 10_000  # of traces, and as many tombstones, in one head
PATIENCE = 2.0  # seconds for transactions under way to end; a round later they have
_TURNS = "SELECT pg_advisory_xact_lock(hashtextextended('heads', %s))"
_MARK = """
SELECT coalesce((SELECT max(id) FROM workflows_transition WHERE tenant_id = %s), 0),
       coalesce((SELECT max(id) FROM workflows_tombstone WHERE tenant_id = %s), 0)
"""
_NUMBER = "SELECT pg_current_xact_id()::text::bigint"
_HAS_SETTLED = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint >= %s"
# A run that was pruned meanwhile has no line any more; its tombstone tells of it. Lines without a run are not told of:
# `verify_trace` names them.
_LINES = """
WITH lines AS MATERIALIZED (
    SELECT id, run_id, seq, hash FROM workflows_transition
     WHERE tenant_id = %(tenant)s AND id > %(after)s AND id <= %(mark)s ORDER BY id LIMIT %(limit)s)
SELECT r.public_id, false, l.seq, l.hash, (SELECT max(id) FROM lines), (SELECT count(*) FROM lines)
  FROM (SELECT DISTINCT ON (run_id) run_id, seq, hash FROM lines ORDER BY run_id, seq DESC) l
  LEFT JOIN LATERAL (
    SELECT public_id FROM workflows_run WHERE tenant_id = %(tenant)s AND id = l.run_id OFFSET 0) r ON true
"""
_STONES = """
SELECT run_public_id, true, length, last_hash, id FROM workflows_tombstone
 WHERE tenant_id = %(tenant)s AND id > %(after)s AND id <= %(mark)s ORDER BY id LIMIT %(limit)s
"""


class Mark(NamedTuple):
    """Lines and tombstones up to these ids can be told of, once all smaller transactions have ended."""

    line: int
    stone: int
    transaction: int


def sign_heads(*, tenant_id: int, seconds: float = 60.0) -> list[TraceHead]:
    """Sign all that was added to the traces of a tenant, in heads of bounded size; none when nothing was.

    What is left after so many seconds, or still under way, is for the next time. Raises `NoHeadKey`.
    """
    if not public_keys():
        raise NoHeadKey
    ends_at, signed = time.monotonic() + seconds, list[TraceHead]()
    mark = _mark(tenant_id)
    if not _has_settled(mark):
        return []
    while (head := _sign_one(tenant_id, mark)) is not None:
        signed.append(head)
        if not head.has_more or time.monotonic() >= ends_at:
            break
    return signed


def _mark(tenant_id: int) -> Mark:
    with tenant_scope(tenant_id):
        [(line, stone)] = fetch(_MARK, [tenant_id, tenant_id])
        [(transaction,)] = fetch(_NUMBER, [])  # after what was seen
    return Mark(line, stone, transaction)


def _has_settled(mark: Mark) -> bool:
    ends_at = time.monotonic() + PATIENCE
    while not fetch(_HAS_SETTLED, [mark.transaction])[0][0]:
        if time.monotonic() >= ends_at:
            return False
        time.sleep(0.02)
    return True


def _sign_one(tenant_id: int, mark: Mark) -> TraceHead | None:
    """The next head, in a transaction of its own. Several signers take turns."""
    with tenant_scope(tenant_id) as scope:
        execute(_TURNS, [tenant_id])
        last = TraceHead.objects.filter(tenant_id=tenant_id).defer("leaves").order_by("-number").first()
        lines_to, stones_to = (last.lines_to, last.stones_to) if last else (0, 0)
        asked = {"tenant": tenant_id, "limit": MOST_LINES}
        lines = fetch(_LINES, asked | {"after": lines_to, "mark": mark.line})
        stones = fetch(_STONES, asked | {"after": stones_to, "mark": mark.stone})
        if not lines and not stones:
            return None
        told = [Leaf(run, is_pruned, seq, bytes(hash_)) for run, is_pruned, seq, hash_, *_ in lines + stones if run]
        is_cut = bool(lines and lines[0][5] == MOST_LINES) or len(stones) == MOST_LINES
        ends = (lines[0][4] if lines else lines_to), (stones[-1][4] if stones else stones_to)
        return _write(scope, tenant_id, last, sorted(told), ends, is_cut)


def _write(
    scope: Scope, tenant_id: int, last: TraceHead | None, leaves: list[Leaf], ends: tuple[int, int], is_cut: bool
) -> TraceHead:
    number, previous = (last.number + 1, bytes(last.digest)) if last else (1, FIRST)
    digest = digest_of(document(tenant_name(tenant_id), number, previous, scope.now, leaves))
    key, signature = sign(digest)
    pruned = sum(leaf.is_pruned for leaf in leaves)
    return TraceHead.objects.create(
        tenant_id=tenant_id,
        number=number,
        previous=previous,
        digest=digest,
        signature=signature,
        key=key,
        runs=len(leaves) - pruned,
        pruned=pruned,
        leaves=pack(leaves),
        lines_to=ends[0],
        stones_to=ends[1],
        has_more=is_cut,
        signed_at=scope.now,
    )


def tenant_name(tenant_id: int) -> uuid.UUID:
    """The id of a tenant that heads name: it never changes. Needs the tenant's scope."""
    return Tenant.objects.values_list("public_id", flat=True).get(pk=tenant_id)
