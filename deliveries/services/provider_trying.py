"""Trying a provider before anybody depends on it: a real message to oneself, and what the provider answered.

It goes the way of every message: a run of a definition of its own, a step that names this provider and no other, a
delivery, an attempt and a trace. So it counts for the provider's health and rate as every message does.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from chimeway_py.errors import Conflict, NotFound
from deliveries.channels.registry import channel as channel_named
from deliveries.models import Delivery, Provider
from deliveries.recipients.why import why
from deliveries.services.trying import check_test_address
from deliveries.states import OWED
from tenants.scope import tenant_scope
from workflows.models import Run
from workflows.services.definitions import ensure_definition
from workflows.services.start import NewRun, Started, start_runs
from workflows.states import TERMINAL, Cause

TRIALS = "chimeway_provider_test"
SUBJECT = "provider_test"
_WORDS = {
    "subject": "A test of {{ run.correlation.provider }}",
    "text": "This is a test of the provider {{ run.correlation.provider }}. There is nothing to be done.",
}


class ProviderDisabled(Conflict):
    """The provider is disabled, so it is given no message. Enable it; the last in order gets few before it is tried."""

    code = "provider_disabled"


@dataclass(frozen=True, slots=True)
class Trial:
    """A test and what came of it. Nothing is known yet while `is_settled` is False; `sentence` says it for people."""

    provider: str
    run_id: uuid.UUID
    asked_at: datetime
    asked_by: str
    state: str
    is_settled: bool
    sentence: str
    delivery: Delivery | None

    @property
    def delivery_id(self) -> uuid.UUID | None:
        """The message, once there is one."""
        return self.delivery.public_id if self.delivery else None

    @property
    def outcome(self) -> str:
        """How it ended, or an empty text. A run that came to no message ended before it, and its state says how."""
        if not self.is_settled:
            return ""
        return self.delivery.status if self.delivery else self.state

    @property
    def error(self) -> str:
        """The code of what the provider answered, such as `http 401`."""
        return self.delivery.error if self.delivery else ""

    @property
    def provider_ref(self) -> str:
        """What the provider calls the message."""
        return self.delivery.provider_ref if self.delivery else ""


def try_provider(*, tenant_id: int, key: str, to: Any = None, cause: Cause = Cause.API, cause_ref: str = "") -> Started:
    """A run that sends a test to `to` through this provider alone, once.

    `to` is an address of the channel; a chat whose account leads to one place needs none. Raises `NotFound`,
    `ProviderDisabled` and `Invalid`.
    """
    with tenant_scope(tenant_id):
        provider = Provider.objects.filter(tenant_id=tenant_id, key=key).first()
        if provider is None:
            raise NotFound
        if not provider.enabled:
            raise ProviderDisabled
        to = to.strip() if isinstance(to, str) else to
        check_test_address(channel_named(provider.channel), to)
        definition = ensure_definition(tenant_id=tenant_id, document=_document(provider, is_addressed=bool(to)))
        data = {"to": to} if to else {}
        new = NewRun(subject=SUBJECT, correlation={"provider": key}, data=data, cause=cause, cause_ref=cause_ref)
        (started,) = start_runs(tenant_id=tenant_id, definition_key=TRIALS, runs=[new], version=definition.version)
        return started


def trial_of(*, tenant_id: int, run: uuid.UUID) -> Trial:
    """What came of a test, which is named by its run. Raises `NotFound`."""
    with tenant_scope(tenant_id) as scope:
        found = _runs(tenant_id).filter(public_id=run).first()
        if found is None:
            raise NotFound
        return _trial(found, scope.now)


def trials_of(*, tenant_id: int, key: str, most: int, now: datetime) -> list[Trial]:
    """The latest tests of a provider, newest first. Needs the tenant's scope."""
    found = _runs(tenant_id).filter(correlation__provider=key).order_by("-id")
    return [_trial(run, now) for run in found[:most]]


def _runs(tenant_id: int) -> "QuerySet[Run]":
    return Run.objects.for_tenant(tenant_id).filter(definition_key=TRIALS, subject=SUBJECT)


def _trial(run: Run, now: datetime) -> Trial:
    sent = Delivery.objects.for_tenant(run.tenant_id).filter(run_id=run.pk, resend_of__isnull=True).first()
    is_settled = run.state in TERMINAL if sent is None else sent.status not in OWED
    sentence = why(sent, now) if sent else f"Its run is {run.state}."
    begun = run.transitions.in_order().first()
    asked_by = begun.cause_ref if begun else ""
    return Trial(
        provider=run.correlation["provider"],
        run_id=run.public_id,
        asked_at=run.created_at,
        asked_by=asked_by,
        state=run.state,
        is_settled=is_settled,
        sentence=sentence,
        delivery=sent,
    )


def _document(provider: Provider, *, is_addressed: bool) -> dict[str, Any]:
    """A test ends when the provider has answered, whatever it says, and comes at any hour."""
    step = {
        "key": "send",
        "kind": "deliver",
        "channel": provider.channel,
        "template": "test",
        "providers": [provider.key],
        "quiet_hours": "override",
        "caps": "override",
        "at_most_once": True,
        "retry": {"max_attempts": 1},
        "on_outcome": {"unknown": "complete"},
    } | ({"to": "data.to"} if is_addressed else {})
    name = f"Tests of providers: {provider.key}"
    return {
        "key": TRIALS,
        "name": name,
        "correlation": ["provider"],
        "templates": {"test": _WORDS},
        "steps": [step],
    }
