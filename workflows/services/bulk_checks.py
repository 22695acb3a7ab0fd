"""What may be said with which bulk call: a decision with an approve or a reject, an end with a pause, and so on."""

from datetime import datetime

from chimeway_py.errors import Invalid, fault
from workflows.services.approvals import Decision, check_decision
from workflows.services.bulk_replay import Replaying
from workflows.services.run_selection import Plan

MOST_RUNS = 1000  # in one batch, which is one transaction
DECISIONS = ("approve", "reject")
_NO_DECISION = fault("/actor", "conflict", "Only an approve or a reject is decided by somebody.")


def check_look(action: str, compensate: bool, decision: Decision | None) -> None:
    """Raises `Invalid` for what does not go with the action."""
    if compensate and action != "cancel":
        raise Invalid(
            "The call is not valid.",
            [fault("/compensate", "conflict", "Only a cancel takes it.")],
        )
    if decision is not None:
        if action not in DECISIONS:
            raise Invalid("The call is not valid.", [_NO_DECISION])
        check_decision(decision)


def check_call(plan: Plan, limit: int, until: datetime | None, reason: str, decision: Decision | None) -> None:
    """Raises `Invalid` listing every fault of a call that carries out a plan."""
    faults = []
    if not 1 <= limit <= MOST_RUNS:
        faults.append(fault("/limit", "bad_limit", f"A whole number from 1 to {MOST_RUNS}."))
    if until is not None and plan.action != "pause":
        faults.append(fault("/until", "conflict", "Only a pause ends by itself."))
    if plan.action not in DECISIONS:
        faults += [_NO_DECISION] if decision is not None else []
    elif decision is None:
        faults.append(fault("/actor", "missing", "Say who decides."))
    elif reason:
        faults.append(fault("/reason", "conflict", "Who decides gives a comment instead."))
    if faults:
        raise Invalid("The call is not valid.", faults)


def check_replaying(action: str, replaying: Replaying | None) -> None:
    """Raises `Invalid` when anything but a replay is told how to replay."""
    if replaying is None or action == "replay":
        return
    given = {"version": replaying.version != "same", "allow_irreversible": replaying.allow_irreversible}
    faults = [fault(f"/{name}", "conflict", "Only of a replay.") for name, said in given.items() if said]
    if faults:
        raise Invalid("The call is not valid.", faults)
