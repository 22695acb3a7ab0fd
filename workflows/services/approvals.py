"""Deciding approvals: yes or no, by somebody who may, for the very approval that they were asked about."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chimeway_py.errors import Invalid, fault
from chimeway_py.text import is_storable
from signals_app.services.payloads import canonical, write_payloads
from tenants.scope import tenant_scope
from tenants.sql import execute
from workflows.engine.events import ApprovalDecided
from workflows.services.control import ControlVerdict, Revisions, control
from workflows.states import Cause
from workflows.store.load import LockedRun

LONGEST_COMMENT = 2000
MOST_METADATA = 8192  # bytes of canonical JSON
_NOTE = """
UPDATE workflows_wait SET decided_by = %s, decision_sha = %s
 WHERE tenant_id = %s AND run_id = ANY(%s) AND closed_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody says to an approval. Comment and metadata are kept as a payload, apart from the trace.

    `step` and `visit`, when given, name the approval that is meant: another one is not decided by mistake.
    """

    actor: str
    comment: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    step: str = ""
    visit: int | None = None

    @property
    def meant(self) -> tuple[str, str, int | None]:
        """By whom, of which step and which visit."""
        return self.actor, self.step, self.visit


def approve_runs(
    *,
    tenant_id: int,
    public_ids: Sequence[uuid.UUID],
    decision: Decision,
    cause: Cause,
    cause_ref: str,
    expected: Revisions | None = None,
) -> list[ControlVerdict]:
    """Say yes to the open approvals. A run that waits for none, or not for this actor, is refused and left as it is.

    Raises `Invalid` listing every fault of the decision, `RunNotFound` and `RevisionMismatch`; nothing is then written.
    """
    return _decide(tenant_id, public_ids, "approve", decision, (cause, cause_ref), expected)


def reject_runs(
    *,
    tenant_id: int,
    public_ids: Sequence[uuid.UUID],
    decision: Decision,
    cause: Cause,
    cause_ref: str,
    expected: Revisions | None = None,
) -> list[ControlVerdict]:
    """Say no to the open approvals; otherwise as `approve_runs`."""
    return _decide(tenant_id, public_ids, "reject", decision, (cause, cause_ref), expected)


def _decide(
    tenant_id: int,
    public_ids: Sequence[uuid.UUID],
    action: str,
    decision: Decision,
    cause: tuple[Cause, str],
    expected: Revisions | None,
) -> list[ControlVerdict]:
    check_decision(decision)

    def event(run_ids: Sequence[int]) -> ApprovalDecided:
        address = _keep(tenant_id, decision, run_ids)
        return ApprovalDecided(action == "approve", decision.actor, *cause, payload=address)

    with tenant_scope(tenant_id):
        return control(tenant_id, public_ids, action, event, expected, lambda run: _refusal(run, decision))


def _refusal(run: LockedRun, decision: Decision) -> str:
    wait = run.facts.wait
    assert wait is not None
    if (decision.step or wait.step, decision.visit or wait.visit) != (wait.step, wait.visit):
        return f"It waits for another approval: {wait.step}, visit {wait.visit}."
    if wait.actors and decision.actor not in wait.actors:
        return f"{decision.actor} may not decide this; it is asked of {', '.join(wait.actors)}."
    return ""


def _keep(tenant_id: int, decision: Decision, run_ids: Sequence[int]) -> str:
    """Note who decided on the open waits, and store what they said; its address, or "" when they said nothing more."""
    said = {"comment": decision.comment, "metadata": dict(decision.metadata)}
    text = canonical(said) if decision.comment or decision.metadata else ""
    address = write_payloads(tenant_id=tenant_id, texts=[text])[text] if text else None
    execute(_NOTE, [decision.actor, address, tenant_id, list(run_ids)])
    return address.hex() if address else ""


def check_decision(decision: Decision) -> None:
    """Raises `Invalid` listing every fault of what somebody says."""
    faults = []
    if not decision.actor or not is_storable(decision.actor, 200):
        faults.append(fault("/actor", "bad_actor", "Text of 1 to 200 characters: who decides."))
    if not is_storable(decision.comment, LONGEST_COMMENT):
        faults.append(fault("/comment", "bad_comment", f"Text of at most {LONGEST_COMMENT} characters."))
    try:
        size = len(canonical(dict(decision.metadata)).encode())
    except (TypeError, ValueError):
        size = MOST_METADATA + 1
    if size > MOST_METADATA:
        faults.append(fault("/metadata", "bad_metadata", f"A JSON object of at most {MOST_METADATA} bytes."))
    if faults:
        raise Invalid("The decision is not valid.", faults)
