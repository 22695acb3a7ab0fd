"""Changing the times of a run: its deadline, and the end of its pause."""

import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime

from chimeway_py.errors import Invalid, fault
from chimeway_py.nudges import nudge_after_commit
from tenants.scope import tenant_scope
from workflows.engine.events import TimesChanged
from workflows.services.control import ControlVerdict, Revisions, control
from workflows.states import Cause, RunState
from workflows.store.load import LockedRun

Changes = Mapping[str, datetime | None]
CHANGEABLE = ("deadline_at", "suspended_until")


def change_times(
    *,
    tenant_id: int,
    public_id: uuid.UUID,
    changes: Changes,
    cause: Cause,
    cause_ref: str,
    reason: str = "",
    expected_revision: int | None = None,
) -> ControlVerdict:
    """Change the times that `changes` names (`deadline_at`, `suspended_until`); those that it leaves out stay.

    None takes a time away. A run that has ended, or that would not change, is refused and left as it is. Raises
    `Invalid` for a time that is not to come, `RunNotFound` and `RevisionMismatch`; nothing is then written.
    """
    with tenant_scope(tenant_id) as scope:
        faults = [*_faults(changes, scope.now)]
        if faults:
            raise Invalid("The change is not valid.", faults)
        nudge_after_commit("engine", tenant_id)
        expected: Revisions = {} if expected_revision is None else {public_id: expected_revision}
        [verdict] = control(
            tenant_id,
            [public_id],
            "change",
            lambda _: TimesChanged(cause, cause_ref, reason, changes),
            expected,
            lambda run: _refusal(run, changes),
        )
        return verdict


def _refusal(run: LockedRun, changes: Changes) -> str:
    facts = run.facts
    if "suspended_until" in changes and facts.state != RunState.PAUSED:
        return "The run is not paused."
    deadline = changes.get("deadline_at")
    if deadline is not None and facts.begins_at is not None and deadline <= facts.begins_at:
        return "The run would expire before it begins."
    return "" if any(getattr(facts, name) != at for name, at in changes.items()) else "Nothing would change."


def _faults(changes: Changes, now: datetime) -> Iterator[dict[str, str]]:
    if not changes:
        yield fault("", "no_change", f"Give one of {', '.join(CHANGEABLE)}.")
    for name, at in changes.items():
        if name not in CHANGEABLE:
            yield fault(f"/{name}", "unknown_key", "No such time.")
        elif at is not None and (at.tzinfo is None or at <= now):
            yield fault(f"/{name}", "bad_time", "A time to come, with its offset.")
