"""Observing external work by its own id: running, succeeded, failed. An end is final, and lets its run go on."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import TextChoices

from chimeway_py.errors import Invalid, NotFound, fault
from chimeway_py.text import is_storable
from signals_app.services.payloads import canonical, write_payloads
from tenants.scope import tenant_scope
from tenants.sql import execute
from workflows.models import StepRun
from workflows.models.external_work import ENDS, ExternalStatus, ExternalWork
from workflows.services.documents import step_of
from workflows.services.later_outcomes import tell_later_outcome
from workflows.states import Cause
from workflows.store.answers import store_answer
from workflows.store.batch import RunBatch

MOST_LISTED = 1000
_KIND = re.compile(r"[a-z0-9_]{1,64}")
_OBSERVED = (ExternalStatus.RUNNING, ExternalStatus.SUCCEEDED, ExternalStatus.FAILED)
# A worker that notes that the time is up loses its claim: the end was faster.
_LOSE = """
UPDATE workflows_attempt SET status = 'lost', outcome = 'unknown', error = 'overtaken', finished_at = %s
 WHERE tenant_id = %s AND step_run_id = %s AND status = 'running'
"""


class ExternalWorkNotFound(NotFound):
    """No external work of this kind has this id in this tenant."""

    code = "external_work_not_found"


class ObservationVerdict(TextChoices):
    """What an observation came to."""

    NOTED = "noted"
    EARLY = "early"  # it ended, and no step waits for it yet
    SETTLED = "settled"  # it ended, and its step was told
    REPEATED = "repeated"  # the same end was observed before
    LATE = "late"  # it came after the end, says otherwise, and changes nothing


@dataclass(frozen=True, slots=True)
class Observed:
    """The work as it is mirrored now, and what the observation came to."""

    work: ExternalWork
    verdict: ObservationVerdict


class _LinkedMeanwhile(Exception):
    """A step began to wait for it while we looked: its run must be locked first."""


def observe_external(
    *,
    tenant_id: int,
    kind: str,
    external_id: str,
    status: str,
    error: str = "",
    data: Mapping[str, Any] | None = None,
    cause: Cause = Cause.API,
    cause_ref: str = "",
) -> Observed:
    """Note what somebody saw of a piece of external work. It need not be known: a step that comes later finds it.

    `data` of the end becomes the step's answer. Locks the run before the work, as every step does. Raises `Invalid`.
    """
    _check(kind, external_id, status, error)
    while True:
        try:
            with tenant_scope(tenant_id):
                return _observe(tenant_id, (kind, external_id), status, error, data, (cause, cause_ref))
        except _LinkedMeanwhile:
            continue


def find_step_by_external_id(*, tenant_id: int, kind: str, external_id: str) -> ExternalWork:
    """The mirrored work under this id, its run and step run with it (None before a step waits for it).

    Raises `ExternalWorkNotFound`.
    """
    with tenant_scope(tenant_id):
        rows = ExternalWork.objects.filter(tenant_id=tenant_id, kind=kind, external_id=external_id)
        found = rows.select_related("run", "step_run").first()
        if found is None:
            raise ExternalWorkNotFound
        return found


def list_external(*, tenant_id: int, kind: str = "", status: str = "", limit: int = 50) -> list[ExternalWork]:
    """Mirrored work, newest first, with run and step run; of one kind or status if given. Raises `Invalid`."""
    if not 0 <= limit <= MOST_LISTED:
        raise Invalid("The list is not valid.", [fault("/limit", "bad_limit", f"From 0 to {MOST_LISTED}.")])
    asked = {name: value for name, value in (("kind", kind), ("status", status)) if value}
    with tenant_scope(tenant_id):
        rows = ExternalWork.objects.filter(tenant_id=tenant_id, **asked).select_related("run", "step_run")
        return list(rows.order_by("-id")[:limit])


def _observe(
    tenant_id: int,
    name: tuple[str, str],
    status: str,
    error: str,
    data: Mapping[str, Any] | None,
    who: tuple[Cause, str],
) -> Observed:
    rows = ExternalWork.objects.filter(tenant_id=tenant_id, kind=name[0], external_id=name[1])
    known = rows.values_list("run_id", flat=True).first()
    batch = RunBatch.lock(tenant_id, [known] if known else [])
    fresh = ExternalWork(
        tenant_id=tenant_id, kind=name[0], external_id=name[1], status=ExternalStatus.EXPECTED, created_at=batch.now
    )
    ExternalWork.objects.bulk_create([fresh], ignore_conflicts=True)
    work = rows.select_for_update(no_key=True).get()
    if work.run_id and work.run_id not in batch.runs:
        raise _LinkedMeanwhile
    verdict = _apply(batch, work, status, error, data, who)
    batch.flush()
    return Observed(work, verdict)


def _apply(
    batch: RunBatch,
    work: ExternalWork,
    status: str,
    error: str,
    data: Mapping[str, Any] | None,
    who: tuple[Cause, str],
) -> ObservationVerdict:
    work.observations += 1
    work.observed_at = batch.now
    if work.status in ENDS:
        is_same = work.status == status
        work.late_observations += not is_same
        _store(work, "observations", "observed_at", "late_observations")
        return ObservationVerdict.REPEATED if is_same else ObservationVerdict.LATE
    work.status, work.error = ExternalStatus(status), error
    verdict = ObservationVerdict.NOTED
    if status in ENDS:
        work.ended_at = batch.now
        verdict = ObservationVerdict.SETTLED if work.step_run_id else ObservationVerdict.EARLY
        if work.step_run_id:
            _settle(batch, work, data, who)
        elif data:
            text = canonical(dict(data))
            work.answer_sha = write_payloads(tenant_id=work.tenant_id, texts=[text])[text]
    _store(work, "observations", "observed_at", "status", "error", "ended_at", "answer_sha")
    return verdict


def _settle(batch: RunBatch, work: ExternalWork, data: Mapping[str, Any] | None, who: tuple[Cause, str]) -> None:
    """End the step run that waits, and tell its run; one that waits no more is told all the same, and may be undone."""
    assert work.run_id is not None
    assert work.step_run_id is not None
    mine = StepRun.objects.for_tenant(work.tenant_id).get(id=work.step_run_id)
    config = step_of(work.tenant_id, batch.runs[work.run_id].definition, mine.step).config
    answer = store_answer(work.tenant_id, config["answer"], data) if data and "answer" in config else None
    context = {"external": work.kind} | ({"error": work.error} if work.error else {})
    cause, ref = who
    told: dict[str, Any] = {"cause": cause, "answer": answer, "ended_now": True}
    tell_later_outcome(batch, mine.pk, work.status, ref, context, **told)
    execute(_LOSE, [batch.now, work.tenant_id, mine.pk])


def _store(work: ExternalWork, *fields: str) -> None:
    values = {name: getattr(work, name) for name in fields}
    ExternalWork.objects.filter(tenant_id=work.tenant_id, id=work.pk).update(**values)


def _check(kind: str, external_id: str, status: str, error: str) -> None:
    faults = []
    if not _KIND.fullmatch(kind):
        faults.append(fault("/kind", "bad_key", "1 to 64 of the letters a-z, digits and _."))
    if not external_id.strip() or not is_storable(external_id, 200):
        faults.append(fault("/external_id", "bad_text", "1 to 200 characters, without NUL."))
    if status not in _OBSERVED:
        faults.append(fault("/status", "unknown_status", f"One of {', '.join(_OBSERVED)}."))
    if not is_storable(error, 200) or not (error.isprintable()):
        faults.append(fault("/error", "bad_text", "One printable line of at most 200 characters."))
    if faults:
        raise Invalid("The observation is not valid.", faults)
