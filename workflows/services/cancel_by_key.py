"""Cancelling by key: the runs that were started under it, and if asked those that are still to come."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from chimeway_py.errors import Invalid, NotFound, fault
from chimeway_py.text import is_storable
from tenants.scope import tenant_scope
from workflows.models import Run
from workflows.models.sticky_cancel import StickyCancel
from workflows.services.control import ControlVerdict, cancel_runs
from workflows.services.sticky_cancels import lock_starts, marks
from workflows.services.wide_search import bounded_search
from workflows.states import Cause

MOST_RUNS = 1000
LONGEST = timedelta(days=90)


class StickyCancelNotFound(NotFound):
    """No such sticky cancel in this tenant, or its time is over."""

    code = "sticky_cancel_not_found"


@dataclass(frozen=True, slots=True)
class Key:
    """What runs are known by before they exist: their idempotency key, or one correlation value; and their workflow."""

    idempotency_key: str = ""
    correlation: Mapping[str, str] = field(default_factory=dict)
    workflow: str = ""

    @property
    def mark(self) -> str:
        """As a sticky cancel remembers it."""
        return next(marks(self.idempotency_key or None, self.correlation))


@dataclass(frozen=True, slots=True)
class KeyCancel:
    """A verdict for each live run under the key, and the cancel that now waits for others, if that was asked for."""

    verdicts: list[ControlVerdict]
    sticky: StickyCancel | None


def cancel_by_key(
    *,
    tenant_id: int,
    key: Key,
    cause: Cause,
    cause_ref: str,
    reason: str,
    sticky_for: timedelta | None = None,
    compensate: bool = False,
) -> KeyCancel:
    """Cancel the live runs under a key. With `sticky_for`, runs that start under it meanwhile are cancelled as well.

    With `compensate`, what the live runs did is undone; those to come have done nothing.
    Asking again replaces the time and the reason. Raises `Invalid` listing every fault, also when the key stands for
    more than 1000 live runs: those are for `bulk_control`.
    """
    faults = [*_faults(key, sticky_for)]
    if faults:
        raise Invalid("The cancel is not valid.", faults)
    with tenant_scope(tenant_id) as scope:
        sticky = None
        if sticky_for is not None:
            lock_starts(tenant_id)
            StickyCancel.objects.filter(tenant_id=tenant_id, until__lte=scope.now).delete()
            asked = {"cause": cause, "cause_ref": cause_ref, "reason": reason}
            times = {"until": scope.now + sticky_for, "created_at": scope.now}
            sticky, _ = StickyCancel.objects.update_or_create(
                tenant_id=tenant_id, workflow=key.workflow, mark=key.mark, defaults=asked | times
            )
        found = _runs(tenant_id, key)
        who: dict[str, Any] = {"cause": cause, "cause_ref": cause_ref}
        verdicts = cancel_runs(tenant_id=tenant_id, public_ids=found, reason=reason, compensate=compensate, **who)
        return KeyCancel(verdicts, sticky)


def lift_sticky_cancel(*, tenant_id: int, public_id: uuid.UUID) -> None:
    """Let runs start again. Those that were cancelled stay so. Raises `StickyCancelNotFound`."""
    with tenant_scope(tenant_id):
        lock_starts(tenant_id)
        gone, _ = StickyCancel.objects.filter(tenant_id=tenant_id, public_id=public_id).delete()
    if not gone:
        raise StickyCancelNotFound


def _runs(tenant_id: int, key: Key) -> Sequence[uuid.UUID]:
    """The live runs under a key, by id."""
    rows = Run.objects.for_tenant(tenant_id).live()
    if key.workflow:
        rows = rows.filter(definition_key=key.workflow)
    if key.idempotency_key:
        rows = rows.filter(idempotency_key=key.idempotency_key)
    else:
        rows = rows.filter(correlation__contains=dict(key.correlation))
    with bounded_search(is_wide=not key.idempotency_key):
        found = list(rows.order_by("id").values_list("public_id", flat=True)[: MOST_RUNS + 1])
    if len(found) > MOST_RUNS:
        raise Invalid(
            "The cancel is not valid.",
            [fault("/correlation", "too_many", f"More than {MOST_RUNS} live runs carry it: cancel them in bulk.")],
        )
    return found


def _faults(key: Key, sticky_for: timedelta | None) -> Iterator[dict[str, str]]:
    if bool(key.idempotency_key) == bool(key.correlation):
        yield fault("/idempotency_key", "conflict", "Give either `idempotency_key` or one value of `correlation`.")
    elif len(key.correlation) > 1:
        yield fault("/correlation", "too_many", "One correlation value.")
    texts = {"/idempotency_key": (key.idempotency_key, 255), "/workflow": (key.workflow, 64)}
    texts |= {f"/correlation/{name}": (f"{name}={value}", 251) for name, value in key.correlation.items()}
    for path, (text, limit) in texts.items():
        if not is_storable(text, limit):
            yield fault(path, "bad_text", "Text that is not too long, without NUL or lone surrogates.")
    if sticky_for is not None and not timedelta(0) < sticky_for <= LONGEST:
        yield fault("/ttl", "bad_ttl", f"A duration of at most {LONGEST.days} days.")
