"""Runs that signals start."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chimeway_py.errors import Invalid
from tenants.limits.taking import take_some
from workflows.definitions.conditions import evaluate
from workflows.definitions.document import StartRule
from workflows.definitions.paths import MISSING, lookup
from workflows.engine.facts import Judged, SignalFacts
from workflows.services.documents import Loaded, documents
from workflows.services.start import PER_START
from workflows.services.start_checks import check_starts
from workflows.services.start_insert import insert_runs
from workflows.services.start_rows import NewRun
from workflows.states import Cause

Verdicts = dict[int, list[tuple[int | None, Judged]]]

VERSIONS = """
SELECT id, status = 'published' AND version = max(version) FILTER (WHERE status = 'published') OVER (PARTITION BY key)
  FROM workflows_definition WHERE tenant_id = %s AND status <> 'draft'
"""


@dataclass(frozen=True, slots=True)
class Catalog:
    """What a tenant's definitions ask of signals.

    `starting` is the latest published version of each key, and `listened` the signals that their waits listen for.
    `conditioned` names the signals whose payload is needed, also by runs that stand on older and retired versions.
    `off` are the keys that are switched off.
    """

    starting: tuple[Loaded, ...]
    listened: frozenset[str]
    conditioned: frozenset[str]
    off: Collection[str]


def catalog_of(tenant_id: int, off: Mapping[str, Any], rows: Sequence[tuple[Any, ...]]) -> Catalog:
    """The tenant's catalog, from the switches that are off and from what `VERSIONS` found."""
    loaded = documents(tenant_id, [id_ for id_, _ in rows])
    starting = tuple(loaded[id_] for id_, is_latest in rows if is_latest)
    return Catalog(
        starting,
        frozenset[str]().union(*(one.listened for one in starting)),
        frozenset[str]().union(*(one.conditioned for one in loaded.values())),
        off.keys(),
    )


def start_by_signals(tenant_id: int, catalog: Catalog, signals: Sequence[SignalFacts], now: datetime) -> Verdicts:
    """Start what the signals start; per signal id, (run id or None, what the definition said)."""
    verdicts: Verdicts = {}
    for loaded in catalog.starting:
        rule = loaded.document.start_on
        if rule is None:
            continue
        asked = [
            (signal, _refused(loaded) if loaded.key in catalog.off else _new_run(loaded, rule, signal))
            for signal in signals
            if signal.name == rule.signal
        ]
        for signal, answer in asked:
            if isinstance(answer, Judged):
                verdicts.setdefault(signal.id, []).append((None, answer))
        starts = [(signal, answer) for signal, answer in asked if isinstance(answer, NewRun)]
        if starts:
            fits, met = take_some(tenant_id, PER_START, len(starts))
            _insert(tenant_id, loaded, starts[:fits], now, verdicts)
            for signal, _ in starts[fits:]:
                verdicts.setdefault(signal.id, []).append((None, _over(loaded, met)))
    return verdicts


def _insert(
    tenant_id: int, loaded: Loaded, starts: Sequence[tuple[SignalFacts, NewRun]], now: datetime, verdicts: Verdicts
) -> None:
    if not starts:
        return
    started = insert_runs(tenant_id, loaded, [run for _, run in starts], now)
    for (signal, _), answer in zip(starts, started, strict=True):
        which = {"definition": loaded.key, "version": loaded.version}
        verdicts.setdefault(signal.id, []).append((answer.run_id, Judged("started", "started_by", context=which)))


def _over(loaded: Loaded, limit: str) -> Judged:
    return Judged(
        "rejected", "limit_reached", context={"definition": f"{loaded.key} v{loaded.version}", "limit": limit}
    )


def _refused(loaded: Loaded) -> Judged:
    return Judged("rejected", "definition_off", context={"definition": f"{loaded.key} v{loaded.version}"})


def _new_run(loaded: Loaded, rule: StartRule, signal: SignalFacts) -> NewRun | Judged:
    """The run that a signal starts, or why it starts none."""
    facts: dict[str, Any] = {"signal": signal.as_tree(), "data": signal.data}
    which = {"definition": f"{loaded.key} v{loaded.version}"}
    if rule.when is not None:
        judgement = evaluate(rule.when, facts)
        if not judgement.held:
            return Judged("rejected", "condition_not_met", context=which | judgement.as_context())
    found = {name: lookup(facts, path) for name, path in {"": rule.subject, **rule.correlate}.items()}
    subject = found.pop("")
    run = NewRun(
        subject=str(subject) if isinstance(subject, str | int) and not isinstance(subject, bool) else "",
        correlation={name: value for name, value in found.items() if value is not MISSING and value is not None},
        data=signal.data,
        idempotency_key=f"signal:{signal.public_id}",
        began_at=signal.received_at,
        cause=Cause.SIGNAL,
        cause_ref=signal.public_id,
    )
    try:
        return check_starts(loaded, [run])[0]
    except Invalid as error:
        faults = [dict(one) for one in error.detail]  # type: ignore[arg-type]
        return Judged("rejected", "start_refused", context=which | {"faults": faults})
