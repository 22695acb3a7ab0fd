"""Replay: a new run from one that has ended, with the same subject, correlation and data, and a line back to it."""

import uuid
from collections.abc import Mapping
from typing import Any, Literal

from chimeway_py.errors import Invalid, fault
from chimeway_py.text import is_storable
from signals_app.services.payloads import load_payloads
from tenants.scope import tenant_scope
from tenants.sql import fetch
from workflows.definitions.document import Document
from workflows.errors import IrreversibleSteps, RevisionMismatch, RunNotEnded, RunNotFound, StartDataGone
from workflows.models import Run
from workflows.services.documents import documents
from workflows.services.start import NewRun, Started, start_runs
from workflows.states import Cause
from workflows.steps.base import WorkKind
from workflows.steps.registry import kinds
from workflows.store.reasons import keep_words, name_reasons

Version = Literal["same", "latest"]
LONGEST_REASON = 200
# Tried, or settled at once, and nobody knows that it failed: it must be taken to have happened.
_TOOK_EFFECT = """
SELECT step, kind, outcome, attempts_made FROM workflows_steprun
 WHERE tenant_id = %s AND run_id = %s AND step = ANY(%s) AND undo = 0 AND (attempts_made > 0 OR outcome <> '')
"""
# Is its own version published, is any, is its key on, and is what it was started with still there?
_STARTABLE = """
SELECT d.status = 'published',
       EXISTS (SELECT FROM workflows_definition o
                WHERE o.tenant_id = r.tenant_id AND o.key = r.definition_key AND o.status = 'published'),
       NOT EXISTS (SELECT FROM workflows_definitionswitch k
                    WHERE k.tenant_id = r.tenant_id AND k.key = r.definition_key AND k.level <> 'on'),
       r.data_sha IS NULL OR EXISTS (SELECT FROM signals_app_payload p
                                      WHERE p.tenant_id = r.tenant_id AND p.address = r.data_sha)
  FROM workflows_run r JOIN workflows_definition d ON d.tenant_id = r.tenant_id AND d.id = r.definition_id
 WHERE r.tenant_id = %s AND r.id = %s
"""


def replay_run(
    *,
    tenant_id: int,
    public_id: uuid.UUID,
    cause: Cause,
    cause_ref: str,
    reason: str,
    version: Version = "same",
    allow_irreversible: bool = False,
    idempotency_key: str | None = None,
    expected_revision: int | None = None,
) -> Started:
    """Start the journey of a run that has ended once more, on its own version or on the latest; it is left as it is.

    The same idempotency key with the same request answers with the run it started. `reason` has 200 characters at most;
    the trace of the new run keeps it. Raises `RunNotFound`, `RevisionMismatch`, `RunNotEnded`, `IrreversibleSteps`
    naming steps that may have taken effect (unless `allow_irreversible` is exactly True), `StartDataGone`,
    `DefinitionNotFound` when the version may not start runs, `Invalid` when it does not accept the data, and
    `StartConflict`.
    """
    _check(version, reason)
    with tenant_scope(tenant_id):
        run = _ended_run(tenant_id, public_id, expected_revision)
        loaded = documents(tenant_id, [run.definition_id])[run.definition_id]
        if allow_irreversible is not True:
            _refuse_irreversible(run, loaded.document)
        why = keep_words(tenant_id, [reason] if reason else []).get(reason, "")
        new = NewRun(
            subject=run.subject,
            correlation=run.correlation,
            data=_data_of(run),
            idempotency_key=idempotency_key,
            cause=cause,
            cause_ref=cause_ref,
            replayed_from=run.pk,
            origin={"replayed_from": str(public_id), "on": version} | ({"why": why} if why else {}),
        )
        number = loaded.version if version == "same" else None
        try:
            [started] = start_runs(tenant_id=tenant_id, definition_key=loaded.key, runs=[new], version=number)
        except Invalid as error:
            raise _without_index(error) from error
        if why and started.created:
            name_reasons(tenant_id, [(started.run_id, why)])
        return started


def irreversible_effects(tenant_id: int, run_id: int, document: Document) -> list[str]:
    """The irreversible steps of a run that may have taken effect, in the order of the document; inside its scope."""
    marked = [step.key for step in document.steps if step.config.get("irreversible")]
    if not marked:
        return []
    tried = fetch(_TOOK_EFFECT, [tenant_id, run_id, marked])
    # Of several tries the last one's failure says nothing about those before it.
    done = {step for step, kind, outcome, tries in tried if tries > 1 or outcome not in _failures(kind)}
    return [key for key in marked if key in done]


def unstartable(tenant_id: int, run_id: int, version: Version = "same") -> str:
    """Why a replay of an ended run could start nothing, as a sentence; "" when it could. Inside its scope."""
    [(own, latest, is_on, has_data)] = fetch(_STARTABLE, [tenant_id, run_id])
    if not has_data:
        return "What it was started with is not kept any more."
    if not latest:
        return "No version of its definition is published."
    if not is_on:
        return "Its definition is switched off."
    return "" if own or version == "latest" else "Its version is retired; replay it on the latest one."


def _failures(kind: str) -> set[str]:
    """The outcomes that prove that nothing happened."""
    known = kinds().get(kind)
    return {"suppressed", known.failure} if isinstance(known, WorkKind) else set()


def _check(version: Any, reason: Any) -> None:
    faults = []
    if version not in ("same", "latest"):
        faults.append(fault("/version", "bad_version", "Either same or latest."))
    if not is_storable(reason, LONGEST_REASON):
        faults.append(fault("/reason", "bad_reason", f"Text of at most {LONGEST_REASON} characters."))
    if faults:
        raise Invalid("The replay is not valid.", faults)


def _ended_run(tenant_id: int, public_id: uuid.UUID, expected_revision: int | None) -> Run:
    rows = Run.objects.for_tenant(tenant_id).filter(public_id=public_id)
    # Locked only for those who have looked: what is undone of an ended run moves it on.
    run = (rows if expected_revision is None else rows.locked()).first()
    if run is None:
        raise RunNotFound("No such run.", {"runs": [str(public_id)]})
    RevisionMismatch.check(public_id, expected_revision, run.revision)
    if not run.is_finished:
        raise RunNotEnded(f"The run is {run.state}; only a run that has ended can be replayed.", {"state": run.state})
    return run


def _refuse_irreversible(run: Run, document: Document) -> None:
    steps = irreversible_effects(run.tenant_id, run.pk, document)
    if steps:
        told = f"These steps may have taken effect and cannot be undone: {', '.join(steps)}."
        raise IrreversibleSteps(told, {"steps": steps})


def _data_of(run: Run) -> dict[str, Any]:
    if run.data_sha is None:
        return {}
    sha = bytes(run.data_sha)  # nowhere, when its subject was erased
    found = load_payloads(run.tenant_id, [sha])
    if sha not in found:
        raise StartDataGone
    return dict(found[sha])


def _without_index(error: Invalid) -> Invalid:
    """The same faults about the one run: their paths start with its index."""
    faults = [] if isinstance(error.detail, Mapping) else error.detail
    return Invalid(error.message, [{**one, "path": str(one["path"]).removeprefix("/0")} for one in faults])
