"""Verdicts per candidate run. Signals know nothing of runs: whoever routes them registers how to read what it wrote."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class CandidateVerdict:
    """What a signal came to for one run it might have concerned. `verdict` is a word of `Verdict`."""

    run: uuid.UUID
    definition: str
    step: str
    verdict: str
    reason: str
    decided_at: datetime


VerdictReader = Callable[[int, int], Sequence[CandidateVerdict]]  # (tenant id, signal id), in the tenant's scope

_readers: list[VerdictReader] = []


def register_verdict_reader(reader: VerdictReader) -> None:
    """Let `candidate_verdicts` ask this reader too. Registering it again changes nothing."""
    if reader not in _readers:
        _readers.append(reader)


def candidate_verdicts(tenant_id: int, signal_id: int) -> list[CandidateVerdict]:
    """The verdicts of a signal, one per candidate run, as every registered reader tells them."""
    return [verdict for reader in _readers for verdict in reader(tenant_id, signal_id)]
