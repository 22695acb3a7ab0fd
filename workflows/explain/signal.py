"""Explaining a signal: what became of it for each run that it might have concerned, or why there is no run at all."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from chimeway_py.errors import NotFound
from signals_app.models import Signal
from signals_app.verdict_reader import CandidateVerdict
from signals_app.verdicts import BEST_FIRST, Verdict
from tenants.scope import tenant_scope
from workflows.explain.explanation import plain
from workflows.explain.signal_sentences import overall_sentence, run_sentence
from workflows.models import Definition, SignalVerdict

MOST_RUNS = 1000  # that one explanation lists; the verdict itself is over all that were judged at routing


class SignalNotFound(NotFound):
    """No such signal in this tenant."""

    code = "signal_not_found"


@dataclass(frozen=True, slots=True)
class SignalOnRun:
    """What the signal meant to one run. `condition` is the one that refused it: path, operator, type and digest."""

    run: uuid.UUID
    definition: str
    step: str
    verdict: str
    reason: str
    sentence: str
    condition: Mapping[str, Any] | None
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class SignalExplanation:
    """What became of a signal. `verdict` is the best over all runs, empty until it is routed."""

    signal: uuid.UUID
    name: str
    subject: str
    source: str
    external_id: str
    received_at: datetime
    routed_at: datetime | None
    verdict: str
    reason: str
    sentence: str
    condition: Mapping[str, Any] | None
    runs: tuple[SignalOnRun, ...]
    as_of: datetime

    def as_dict(self) -> dict[str, Any]:
        """The explanation in plain JSON values."""
        said: dict[str, Any] = plain(asdict(self))
        return said


def explain_signal(*, tenant_id: int, public_id: uuid.UUID) -> SignalExplanation:
    """What became of a signal, and why no run exists where none does. Raises `SignalNotFound`."""
    with tenant_scope(tenant_id) as scope:
        signal = Signal.objects.filter(tenant_id=tenant_id, public_id=public_id).first()
        if signal is None:
            raise SignalNotFound
        runs = tuple(_on_run(row) for row in _rows(tenant_id, signal.pk))
        verdict, reason = _best(signal, runs)
        starters = () if runs else _starters(tenant_id, signal.name)
        return SignalExplanation(
            signal=signal.public_id,
            name=signal.name,
            subject=signal.subject,
            source=signal.source,
            external_id=signal.external_id,
            received_at=signal.received_at,
            routed_at=signal.routed_at,
            verdict=verdict,
            reason=reason,
            sentence=overall_sentence(signal, verdict, reason, len(runs), starters, scope.now),
            condition=signal.verdict_context or None,
            runs=runs,
            as_of=scope.now,
        )


def read_verdicts(tenant_id: int, signal_id: int) -> list[CandidateVerdict]:
    """The verdicts of a signal per candidate run, for those who show signals."""
    return [
        CandidateVerdict(
            row.run.public_id, row.run.definition_key, row.wait_step, row.verdict, row.reason, row.decided_at
        )
        for row in _rows(tenant_id, signal_id)
    ]


def _rows(tenant_id: int, signal_id: int) -> Sequence[SignalVerdict]:
    rows = SignalVerdict.objects.filter(tenant_id=tenant_id, signal_id=signal_id)
    return list(rows.select_related("run").order_by("id")[:MOST_RUNS])


def _on_run(row: SignalVerdict) -> SignalOnRun:
    return SignalOnRun(
        run=row.run.public_id,
        definition=row.run.definition_key,
        step=row.wait_step,
        verdict=row.verdict,
        reason=row.reason,
        sentence=run_sentence(row),
        condition=row.context or None,
        decided_at=row.decided_at,
    )


def _best(signal: Signal, runs: Sequence[SignalOnRun]) -> tuple[str, str]:
    """The best verdict. What was buffered at routing is judged per run later, so then only the runs tell."""
    said = [(run.verdict, run.reason) for run in runs]
    if signal.verdict and not (said and signal.verdict == Verdict.BUFFERED):
        said.append((signal.verdict, signal.verdict_reason))
    return min(said, key=lambda one: BEST_FIRST.index(Verdict(one[0])), default=("", ""))


def _starters(tenant_id: int, name: str) -> Sequence[Definition]:
    """Versions that start on the signal, published or not: the usual answer to "why is there no run"."""
    versions = Definition.objects.for_tenant(tenant_id).filter(start_signal=name).latest_first()
    return list(versions.defer("document")[:20])
