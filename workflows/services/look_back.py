"""Looking back: the signals that came for a run before the engine first saw it."""

from collections.abc import Sequence
from datetime import datetime

from signals_app.services.payloads import load_payloads
from tenants.sql import fetch
from workflows.definitions.document import Document
from workflows.definitions.durations import parse_duration
from workflows.engine.events import SignalArrived
from workflows.engine.facts import SignalFacts
from workflows.store.batch import RunBatch
from workflows.store.load import LockedRun, signal_facts

# By the listeners' own keys in the signals' inverted index; a pair that was judged already is not looked at again.
_EARLY = """
SELECT DISTINCT u.run_id, s.received_at, s.id, s.public_id, s.name, s.subject, s.correlation, s.payload_sha
  FROM unnest(%(runs)s::bigint[], %(since)s::timestamptz[]) AS u (run_id, since)
 CROSS JOIN LATERAL (
    SELECT name, key, rest FROM workflows_listener WHERE tenant_id = %(tenant)s AND run_id = u.run_id OFFSET 0) l
 CROSS JOIN LATERAL (
    SELECT signal_id FROM signals_app_signalkey
     WHERE tenant_id = %(tenant)s AND name = l.name AND key = l.key AND received_at >= u.since OFFSET 0) k
 CROSS JOIN LATERAL (
    SELECT received_at, id, public_id, name, subject, correlation, payload_sha, verdict FROM signals_app_signal
     WHERE tenant_id = %(tenant)s AND id = k.signal_id OFFSET 0) s
 WHERE l.rest <@ s.correlation AND s.verdict IS DISTINCT FROM 'expired' AND NOT EXISTS (
    SELECT 1 FROM workflows_signalverdict WHERE tenant_id = %(tenant)s AND signal_id = s.id AND run_id = u.run_id
     OFFSET 0)
 ORDER BY s.received_at, s.id
"""


def look_back(batch: RunBatch, runs: Sequence[LockedRun]) -> None:
    """Give pending runs the signals that were received since they began, or as far back as their waits look."""
    for run_id, signal in early_signals(batch, runs):
        judged = batch.apply(run_id, SignalArrived(signal)).judged
        if judged is not None and judged.verdict != "unmatched":
            batch.verdict(run_id, signal, judged)


def early_signals(batch: RunBatch, runs: Sequence[LockedRun]) -> list[tuple[int, SignalFacts]]:
    """The signals, oldest first, that their listeners find and that they were not told of: (run id, signal)."""
    if not runs:
        return []
    sinces = [look_back_since(run.definition.document, run.facts.began_at, batch.now) for run in runs]
    rows = fetch(_EARLY, {"runs": [run.id for run in runs], "since": sinces, "tenant": batch.tenant_id})
    needed = {row[0] for row in rows if row[7] is not None and row[4] in batch.runs[row[0]].definition.conditioned}
    payloads = load_payloads(batch.tenant_id, {bytes(row[7]) for row in rows if row[0] in needed and row[7]})
    return [
        (run_id, signal_facts((*rest, received_at), payloads.get(bytes(sha), {}) if sha is not None else {}))
        for run_id, received_at, *rest, sha in rows
    ]


def look_back_since(document: Document, began_at: datetime, now: datetime) -> datetime:
    """The earliest receipt that any wait of the document may ask for."""
    lengths = [
        parse_duration(step.config["look_back"])
        for step in document.steps
        if step.config.get("look_back", "").startswith("P")
    ]
    return min([began_at, *(now - length for length in lengths)])
