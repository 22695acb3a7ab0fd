"""The rows of the workflow engine, one noun per file."""

from workflows.models.answer import Answer
from workflows.models.definition import Definition, DefinitionStatus, Step
from workflows.models.digest import ClosedBy, Digest, DigestItem, DigestStatus, Left
from workflows.models.event import (
    DisabledReason,
    DispatchStatus,
    Event,
    EventAttempt,
    EventDispatch,
    EventSubscription,
)
from workflows.models.external_work import ExternalStatus, ExternalWork
from workflows.models.retention import HoldOn, Kept, LegalHold, PruneOrder, RetentionPolicy
from workflows.models.run import Run
from workflows.models.run_reason import RunReason
from workflows.models.schedule import MissedPolicy, Schedule
from workflows.models.signal_verdict import SignalVerdict
from workflows.models.snapshot import Snapshot
from workflows.models.step_run import Attempt, AttemptStatus, StepRun, StepRunStatus
from workflows.models.sticky_cancel import StickyCancel
from workflows.models.switch import DefinitionSwitch, SwitchChange, SwitchLevel
from workflows.models.throttle import ThrottlePass
from workflows.models.tombstone import Tombstone
from workflows.models.trace_head import TraceHead
from workflows.models.transition import Transition
from workflows.models.wait import Listener, Wait, WaitOutcome

__all__ = [
    "Answer",
    "Attempt",
    "AttemptStatus",
    "ClosedBy",
    "Definition",
    "DefinitionStatus",
    "DefinitionSwitch",
    "Digest",
    "DigestItem",
    "DigestStatus",
    "DisabledReason",
    "DispatchStatus",
    "Event",
    "EventAttempt",
    "EventDispatch",
    "EventSubscription",
    "ExternalStatus",
    "ExternalWork",
    "HoldOn",
    "Kept",
    "Left",
    "LegalHold",
    "Listener",
    "MissedPolicy",
    "PruneOrder",
    "RetentionPolicy",
    "Run",
    "RunReason",
    "Schedule",
    "SignalVerdict",
    "Snapshot",
    "Step",
    "StepRun",
    "StepRunStatus",
    "StickyCancel",
    "SwitchChange",
    "SwitchLevel",
    "ThrottlePass",
    "Tombstone",
    "TraceHead",
    "Transition",
    "Wait",
    "WaitOutcome",
]
