"""The parts of a run that are the engine's own."""

from workflows.history.parts import Part, register_part
from workflows.models import (
    Answer,
    Attempt,
    Digest,
    DigestItem,
    ExternalWork,
    Listener,
    RunReason,
    SignalVerdict,
    Snapshot,
    StepRun,
    Wait,
)


def register_all() -> None:
    """Make them known, those that others hang on first."""
    register_part(Part("step_run", StepRun))
    register_part(Part("attempt", Attempt, parent="step_run"))
    register_part(Part("wait", Wait))
    register_part(Part("answer", Answer))
    register_part(Part("reason", RunReason))
    register_part(Part("external_work", ExternalWork))
    register_part(Part("listener", Listener))
    register_part(Part("verdict", SignalVerdict))
    register_part(Part("snapshot", Snapshot, is_exported=False))
    register_part(Part("digest", Digest, parent="leader_run", is_exported=False, is_forgotten=True))
    register_part(Part("digest_item", DigestItem, is_exported=False))
