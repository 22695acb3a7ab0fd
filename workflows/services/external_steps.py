"""Expecting external work: each step's work under its own id, in the transaction that advances the runs."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from signals_app.services.payloads import load_payloads
from tenants.sql import arrays, execute, fetch, insert, update
from workflows.definitions.durations import parse_duration
from workflows.models.external_work import ENDS
from workflows.steps.base import Outcome, PlannedStep
from workflows.steps.sources import facts_of, text_of

LONGEST_ID = 200
_EXPECTED = {
    "kind": "text",
    "external_id": "text",
    "status": "text",
    "error": "text",
    "run_id": "bigint",
    "step_run_id": "bigint",
    "observations": "int",
    "late_observations": "int",
    "created_at": "timestamptz",
}
# Whoever comes second, the step or the observation, meets the other's row under its lock. A row that belongs to
# another run is not returned.
_EXPECT = insert(
    "workflows_externalwork",
    _EXPECTED,
    "ON CONFLICT (tenant_id, kind, external_id) DO UPDATE "
    "SET run_id = excluded.run_id, step_run_id = excluded.step_run_id "
    "WHERE workflows_externalwork.run_id IS NULL OR workflows_externalwork.run_id = excluded.run_id "
    "RETURNING step_run_id, status, error, answer_sha",
)
_DUE = {"id": "bigint", "due_at": "timestamptz"}
_SET_DUE = update("workflows_steprun", _DUE)


def expect_external(*, planned: Sequence[PlannedStep], now: datetime) -> dict[int, Outcome]:
    """Mirror the work of these steps, all of one tenant; outcomes of those that end here, by step run id.

    A few statements, however many runs move together. Needs the tenant's scope.
    """
    tenant_id = planned[0].tenant_id
    outcomes: dict[int, Outcome] = {}
    wanted: dict[tuple[str, str], PlannedStep] = {}
    for one in planned:
        external_id = _id_of(one)
        if not external_id or len(external_id) > LONGEST_ID or "\0" in external_id:
            outcomes[one.step_run_id] = Outcome("permanent_failure", "no external id")
        elif (name := (one.step.config["of"], external_id)) in wanted:
            outcomes[one.step_run_id] = Outcome("permanent_failure", "external id taken")
        else:
            wanted[name] = one
    rows = [
        (*name, "expected", "", one.run_id, one.step_run_id, 0, 0, now)
        for name, one in sorted(wanted.items(), key=lambda item: item[0])
    ]
    met = {row[0]: row[1:] for row in fetch(_EXPECT, [tenant_id, *arrays(rows, _EXPECTED)])} if rows else {}
    for one in wanted.values():
        if one.step_run_id not in met:
            outcomes[one.step_run_id] = Outcome("permanent_failure", "external id taken")
        elif met[one.step_run_id][0] in ENDS:
            outcomes[one.step_run_id] = _ended(tenant_id, one, *met[one.step_run_id])
    waiting = [one for one in wanted.values() if one.step_run_id not in outcomes]
    _set_due(tenant_id, waiting, now)
    return outcomes


def _set_due(tenant_id: int, waiting: Sequence[PlannedStep], now: datetime) -> None:
    """No worker takes such a step up before its time; without a timeout none ever does."""
    if waiting:
        rows = [(one.step_run_id, now + left if (left := _timeout(one)) else None) for one in waiting]
        execute(_SET_DUE, [tenant_id, *arrays(rows, _DUE)])


def _timeout(one: PlannedStep) -> timedelta | None:
    timeout = one.step.config.get("timeout")
    return parse_duration(timeout) if timeout else None


def _ended(tenant_id: int, one: PlannedStep, status: str, error: str, answer_sha: Any) -> Outcome:
    """It was observed to end before the run came here."""
    answer = None
    if answer_sha is not None and "answer" in one.step.config:
        answer = load_payloads(tenant_id, [bytes(answer_sha)]).get(bytes(answer_sha))
    return Outcome(status, error, context={"early": True}, answer=answer)


def _id_of(one: PlannedStep) -> str:
    facts = facts_of(
        run_public_id=one.run_public_id,
        subject=one.subject,
        correlation=one.correlation,
        definition_key=one.definition_key,
        data=one.data,
    )
    return text_of(one.step.config["id"], facts)
