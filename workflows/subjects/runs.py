"""What runs hold about a subject: erased, and exported."""

from collections.abc import Iterator

from signals_app.models import Signal
from signals_app.subjects.paging import in_pages
from signals_app.subjects.registry import Erasure, Line, SubjectHolder
from signals_app.subjects.signals import erase_signals, signal_line
from tenants.sql import execute, fetch
from workflows.models import Answer, Listener, Run, RunReason, SignalVerdict, Wait
from workflows.services.control import cancel_runs
from workflows.states import LIVE, Cause
from workflows.store.answers import GONE

REASON = "subject_erased"
AT_ONCE = 500  # runs that are cancelled together

#: (table, column): payloads that rows of a run name
BODIES = (
    ("workflows_wait", "decision_sha"),
    ("workflows_answer", "payload_sha"),
    ("workflows_runreason", "payload_sha"),
    ("workflows_externalwork", "answer_sha"),
    ("workflows_digestitem", "payload_sha"),
)
_ERASE_RUNS = """
UPDATE workflows_run SET subject = %s, correlation = '{}', data_sha = %s WHERE tenant_id = %s AND id = ANY (%s)
"""
_ERASE_MATCHES = """
UPDATE workflows_wait
   SET signals = (SELECT coalesce(jsonb_agg(rule - 'match'), '[]') FROM jsonb_array_elements(signals) AS rule)
 WHERE tenant_id = %s AND run_id = ANY (%s)
"""
_ERASE_WITHHELD = "UPDATE workflows_steprun SET withheld_from = %s WHERE tenant_id = %s AND withheld_from = %s"


class RunHolder(SubjectHolder):
    """Runs of the subject, with their waits, and the signals without a subject that they were given."""

    def find(self, erasure: Erasure) -> None:
        """The signals: they are locked before the runs."""
        erasure.signals |= _given_signals(erasure)

    def erase(self, erasure: Erasure) -> None:
        """Live runs are cancelled, with a transition that says why. No transition of before changes."""
        self._cancel(erasure)
        runs = Run.objects.for_tenant(erasure.tenant_id).filter(subject=erasure.subject)
        erasure.runs |= set(runs.order_by("id").select_for_update(no_key=True).values_list("id", flat=True))
        erase_signals(erasure, _given_signals(erasure) - erasure.signals)  # judged while we waited for the locks
        ids = sorted(erasure.runs)
        erasure.addresses |= _named("workflows_run", "data_sha", "id", erasure.tenant_id, ids)
        for table, column in BODIES:
            erasure.addresses |= _named(table, column, "run_id", erasure.tenant_id, ids)
            statement = f"UPDATE {table} SET {column} = NULL WHERE tenant_id = %s AND run_id = ANY (%s)"  # noqa: S608
            execute(statement, [erasure.tenant_id, ids])
        execute(_ERASE_MATCHES, [erasure.tenant_id, ids])
        execute(_ERASE_WITHHELD, [erasure.pseudonym, erasure.tenant_id, erasure.subject])
        Listener.objects.filter(tenant_id=erasure.tenant_id, run_id__in=ids).delete()
        erasure.count("runs", execute(_ERASE_RUNS, [erasure.pseudonym, GONE, erasure.tenant_id, ids]))

    def export(self, tenant_id: int, subject: str) -> Iterator[Line]:
        """Each run: what was decided, brought back and said in it, and its signals without a subject."""
        rows = Run.objects.filter(subject=subject).select_related("definition")
        for run in in_pages(rows, tenant_id):
            yield run_line(run)
            decided = Wait.objects.filter(run_id=run.pk).exclude(decided_by="")
            yield from map(_decision_line, in_pages(decided, tenant_id))
            yield from map(_answer_line, in_pages(Answer.objects.filter(run_id=run.pk), tenant_id))
            yield from map(_reason_line, in_pages(RunReason.objects.filter(run_id=run.pk), tenant_id))
            given = Signal.objects.filter(subject="", run_verdicts__run_id=run.pk)
            yield from ({**signal_line(signal), "run_id": str(run.public_id)} for signal in in_pages(given, tenant_id))

    def _cancel(self, erasure: Erasure) -> None:
        live = Run.objects.for_tenant(erasure.tenant_id).filter(subject=erasure.subject, state__in=sorted(LIVE))
        public_ids = list(live.order_by("id").values_list("public_id", flat=True))
        for first in range(0, len(public_ids), AT_ONCE):
            verdicts = cancel_runs(
                tenant_id=erasure.tenant_id,
                public_ids=public_ids[first : first + AT_ONCE],
                cause=Cause(erasure.cause),
                cause_ref=erasure.cause_ref,
                reason=REASON,
            )
            erasure.count("runs_cancelled", sum(verdict.verdict == "moved" for verdict in verdicts))
            erasure.in_flight += [f"{one.public_id} {work}" for one in verdicts for work in one.in_flight]


def run_line(run: Run) -> Line:
    """One run."""
    return {
        "kind": "run",
        "id": str(run.public_id),
        "workflow": run.definition_key,
        "version": run.definition.version,
        "state": run.state,
        "terminal_reason": run.terminal_reason,
        "correlation": run.correlation,
        "created_at": run.created_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "payload": _hex(run.data_sha),
    }


def _decision_line(wait: Wait) -> Line:
    said = {"outcome": wait.outcome, "decided_by": wait.decided_by, "payload": _hex(wait.decision_sha)}
    return {"kind": "decision", "step": wait.step, **said}


def _answer_line(answer: Answer) -> Line:
    return {"kind": "answer", "step": answer.step, "name": answer.name, "payload": _hex(answer.payload_sha)}


def _reason_line(reason: RunReason) -> Line:
    return {"kind": "reason", "payload": _hex(reason.payload_sha)}


def _hex(sha: bytes | memoryview | None) -> str | None:
    return bytes(sha).hex() if sha else None


def _named(table: str, column: str, by: str, tenant_id: int, run_ids: list[int]) -> set[bytes]:
    """The payloads that a column names in rows of these runs."""
    statement = f"SELECT {column} FROM {table} WHERE tenant_id = %s AND {by} = ANY (%s) AND {column} IS NOT NULL"  # noqa: S608
    return {bytes(sha) for (sha,) in fetch(statement, [tenant_id, run_ids])} - {GONE}


def _given_signals(erasure: Erasure) -> set[int]:
    """Signals without a subject that a run of the subject was given: what they carry is about it."""
    tenant_id = erasure.tenant_id
    about = SignalVerdict.objects.filter(tenant_id=tenant_id, run__tenant_id=tenant_id, run__subject=erasure.subject)
    unnamed = about.filter(signal__tenant_id=tenant_id, signal__subject="")
    return set(unnamed.values_list("signal_id", flat=True))
