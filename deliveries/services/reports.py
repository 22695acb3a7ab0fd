"""Taking what providers tell: verified, counted once, and never backwards.

Each kind of report sets one time on the delivery, once. A report only ever moves a delivery forward: from taken to
failed, from whatever was thought to delivered, and to bounced unless somebody opened it. A "failed" that finds that it
was delivered, a bounce of what was opened, and a "delivered" of what came back, come late: their time is kept at the
delivery, and nothing else changes.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import SuspiciousOperation
from django.db import connection
from django.http.multipartparser import MultiPartParserError

from chimeway_py.errors import ChimewayError, Invalid, NotFound, fault
from chimeway_py.text import is_storable
from deliveries.models import Delivery, Provider
from deliveries.providers.accounts import opened
from deliveries.providers.base import Account, ProviderKind
from deliveries.providers.registry import provider_kinds
from deliveries.providers.reports import Incoming, Report, ReportKind
from deliveries.services.events import record_settled
from deliveries.states import DeliveryStatus
from deliveries.suppressions.writing import heed_complaint, heed_end
from signals_app.services import NewSignal, accept_signals
from tenants.scope import tenant_scope
from workflows.models import StepRun, Transition
from workflows.models.step_run import StepRunStatus
from workflows.services.later_outcomes import tell_later_outcome
from workflows.services.unknown import settle_unknown
from workflows.states import Cause
from workflows.store.batch import RunBatch

SOURCE = "provider"
_COLUMNS = {
    ReportKind.DELIVERED: "confirmed_at",
    ReportKind.FAILED: "failed_at",
    ReportKind.BOUNCED: "bounced_at",
    ReportKind.COMPLAINED: "complained_at",
    ReportKind.OPENED: "opened_at",
    ReportKind.CLICKED: "clicked_at",
}
_NO_REPORT = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
    MultiPartParserError,
    SuspiciousOperation,
)
_BAD = frozenset({ReportKind.FAILED, ReportKind.BOUNCED})


class StillSending(ChimewayError):
    """The message is just being sent. Report it again in a few seconds."""

    code = "still_sending"
    status = 503
    retryable = True


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of the reports of one post: told now, known before, kept though too late, about nothing of ours."""

    accepted: int = 0
    repeated: int = 0
    late: int = 0
    ignored: int = 0


def receive_reports(*, provider: uuid.UUID, incoming: Incoming) -> Taken:
    """Verify a post and take every report in it. Each is one transaction, so that one that must wait undoes no other.

    Raises `NotFound` (no such provider, or one that takes no reports), `BadSignature`, `Invalid`, and `StillSending`.
    """
    tenant_id = _tenant_of(provider)
    if tenant_id is None:
        raise NotFound
    with tenant_scope(tenant_id):
        row = Provider.objects.filter(tenant_id=tenant_id, public_id=provider).first()
        if row is None or row.kind not in provider_kinds():
            raise NotFound
        account = opened(row)
    reports = _read(provider_kinds()[row.kind], account, incoming)
    verdicts = [take_report(tenant_id=tenant_id, provider=row.key, report=one) for one in reports]
    return Taken(*map(verdicts.count, ("accepted", "repeated", "late", "ignored")))


def _read(kind: ProviderKind, account: Account, incoming: Incoming) -> list[Report]:
    """What a post tells. Nothing was written yet, and whatever a reader stumbles over was sent to it."""
    try:
        return kind.reports(account, incoming)
    except _NO_REPORT as error:
        raise Invalid("The body is no report.", [fault("", "shape", "Not what the provider sends.")]) from error


def take_report(*, tenant_id: int, provider: str, report: Report) -> str:
    """`accepted`, `repeated` (known before), `late` (kept; something better was known) or `ignored` (nothing of ours).

    The run is told, and the signal accepted, in the transaction that writes it. Raises `StillSending`.
    """
    with tenant_scope(tenant_id):
        found = _find(tenant_id, provider, report)
        if found is None:
            return "ignored"
        batch = RunBatch.lock(tenant_id, [found.run_id])  # the run before the delivery: the order of all locks
        mine = Delivery.objects.for_tenant(tenant_id).filter(id=found.pk).locked().get()
        if mine.status == DeliveryStatus.SENDING and report.kind in _BAD:
            raise StillSending
        if _is_planned_anew(mine) or not _is_news(mine, report.kind):
            return "repeated"
        is_late = _is_late(mine, report.kind)
        _note(mine, report, batch.now)
        if report.kind == ReportKind.COMPLAINED:
            heed_complaint(mine, report.code, batch.now)
        if is_late:
            return "late"
        outcome = _outcome(mine, report.kind)
        if outcome:
            _move(batch, mine, outcome, f"reported {report.kind} {report.code}".strip())
        batch.flush()
        accept_signals(tenant_id=tenant_id, signals=[signal_of(mine, report.kind, batch.now)], counted=False)
        return "accepted"


def signal_of(delivery: Delivery, kind: ReportKind, now: datetime) -> NewSignal:
    """The signal that tells of a report. Its id comes from the delivery, so it can never be accepted twice.

    What undoes another may be sent anew in its place; then each sending is reported on for itself.
    """
    sending = f":{delivery.planned_at.timestamp():.6f}" if delivery.key.endswith(":compensate") else ""
    return NewSignal(
        name=f"notification.{kind}",
        subject=delivery.subject,
        correlation={
            "run_id": str(delivery.run.public_id),
            "step": delivery.step_key,
            "delivery_id": str(delivery.public_id),
        },
        external_id=f"{delivery.public_id}:{kind}{sending}",
        source=SOURCE,
        occurred_at=now,
    )


def _find(tenant_id: int, provider: str, report: Report) -> Delivery | None:
    """Only what this very provider was asked to carry: one account does not speak for another."""
    all_rows = Delivery.objects.for_tenant(tenant_id).select_related("run")
    rows = all_rows.filter(provider=provider)
    try:
        found = all_rows.filter(public_id=uuid.UUID(report.delivery)).first() if report.delivery else None
    except ValueError:
        found = None
    if found is not None and found.provider != provider and not _was_asked(found, provider, report.kind):
        found = None
    if found is None and report.ref and is_storable(report.ref, 255):
        found = rows.filter(provider_ref=report.ref).order_by("-id").first()
    return found


def _was_asked(delivery: Delivery, provider: str, kind: ReportKind) -> bool:
    """Whether an earlier try went there. Of what another carries now it can only tell that it arrived after all."""
    if kind in _BAD:
        return False
    tries = Transition.objects.filter(tenant_id=delivery.tenant_id, run_id=delivery.run_id, cause_ref=delivery.key)
    return tries.filter(context__provider=provider).exists()


def _is_planned_anew(delivery: Delivery) -> bool:
    """Whether nothing was sent since it was planned: what is told is of a message before, which failed to undo."""
    return delivery.status == DeliveryStatus.PLANNED and delivery.sending_at is None


def _is_news(delivery: Delivery, kind: ReportKind) -> bool:
    """Whether it was not told before. What bounced has failed."""
    if getattr(delivery, _COLUMNS[kind]) is not None:
        return False
    return not (kind == ReportKind.FAILED and delivery.bounced_at)


def _is_late(delivery: Delivery, kind: ReportKind) -> bool:
    """Whether what is known says otherwise, and counts more: kept for people, told to nobody."""
    if kind == ReportKind.FAILED:
        return delivery.confirmed_at is not None
    if kind == ReportKind.DELIVERED:
        return delivery.bounced_at is not None  # mail servers take first and return later: it did not stay there
    return kind == ReportKind.BOUNCED and bool(delivery.opened_at or delivery.clicked_at)


def _note(delivery: Delivery, report: Report, now: datetime) -> None:
    columns = [_COLUMNS[report.kind]]
    if report.kind not in _BAD and delivery.confirmed_at is None:
        columns.append("confirmed_at")  # what was opened has arrived, whether or not anybody said so
    for name in columns:
        setattr(delivery, name, now)
    Delivery.objects.bulk_update([delivery], columns)


def _outcome(delivery: Delivery, kind: ReportKind) -> str:
    """The outcome that a delivery gets by it; empty when it keeps the one it has, or has none yet.

    What arrived has arrived, whatever we thought: no answer to our tries says more than who carried it.
    """
    if delivery.is_owed or delivery.status == DeliveryStatus.BOUNCED:
        return ""
    open_ended = delivery.status in (DeliveryStatus.DELIVERED, DeliveryStatus.UNKNOWN)
    if kind == ReportKind.BOUNCED:
        was_taken = open_ended or delivery.failed_at or delivery.may_have_arrived
        return DeliveryStatus.BOUNCED if was_taken else ""
    if kind == ReportKind.FAILED:
        return DeliveryStatus.PERMANENT_FAILURE if open_ended else ""
    return "" if delivery.status == DeliveryStatus.DELIVERED else DeliveryStatus.DELIVERED


def _move(batch: RunBatch, delivery: Delivery, outcome: str, why: str) -> None:
    """Write the outcome, and tell the run."""
    was_unknown = delivery.status == DeliveryStatus.UNKNOWN
    if was_unknown and _settle(delivery, outcome, why):
        return
    delivery.status, delivery.settled_at = outcome, batch.now
    delivery.error = "" if outcome == DeliveryStatus.DELIVERED else why[:200]
    if outcome == DeliveryStatus.DELIVERED:
        delivery.delivered_at = delivery.delivered_at or batch.now
    Delivery.objects.bulk_update([delivery], ["status", "settled_at", "error", "delivered_at"])
    heed_end(delivery, batch.now)
    record_settled(delivery.tenant_id, [delivery.pk])
    if delivery.resend_of_id is None:
        context = {"delivery": str(delivery.public_id), "reported": why}
        context |= {"error": delivery.error} if delivery.error else {}
        tell_later_outcome(batch, delivery.step_run_id, outcome, delivery.key, context)


def _settle(delivery: Delivery, outcome: str, why: str) -> bool:
    """Settle a step run whose end nobody had seen, as somebody who looked it up would; False when it is no such."""
    unknown = StepRun.objects.for_tenant(delivery.tenant_id).filter(key=delivery.key, status=StepRunStatus.UNKNOWN)
    if not unknown.exists():
        return False
    reason = "reported by the provider"
    settle_unknown(
        tenant_id=delivery.tenant_id,
        key=delivery.key,
        outcome=outcome,
        reason=reason,
        cause=Cause.API,
        cause_ref=delivery.provider,
        error="" if outcome == DeliveryStatus.DELIVERED else why,
    )
    return True


def _tenant_of(provider: uuid.UUID) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tenant_of_provider(%s)", [provider])
        return cursor.fetchone()[0]  # type: ignore[no-any-return]
