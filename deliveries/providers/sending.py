"""Sending one message through the tenant's providers: the first that can, and the next when one certainly did not.

A provider that may have taken the message ends the try: asking another would be a second message. Every later try, if
the step allows one, asks this provider only, well or not, under the same effect key. The same holds for the service's
own sender, which carries what tenants without a provider send.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from deliveries.channels.base import Message, Undeliverable
from deliveries.models import Delivery, Provider
from deliveries.providers.accounts import candidates, has_providers, opened, the_same
from deliveries.providers.health import note_outcome
from deliveries.providers.registry import provider_kind
from deliveries.providers.turns import leave, take_turn
from deliveries.states import DeliveryStatus, Layer
from tenants.scope import tenant_scope
from tenants.vault import CannotOpen
from workflows.steps.base import HELD, Outcome

MOST_ASKED = 4  # in one try; each may take eight seconds
RATE_LIMITED = "rate_limited"
AWAY = "provider_away"  # only one may be asked, and that one is disabled, gone or not named any more
SERVICE = "(service)"  # noted where providers are: the service's own sender may have it. No key looks like that
Default = Callable[[Message], Outcome]

log = structlog.get_logger(__name__)


def send_through(message: Message, channel: str, default: Default | None = None) -> Outcome:
    """What became of the message. `default` carries it for tenants without a provider of their own.

    Raises `Undeliverable` when there is nobody to ask.
    """
    with tenant_scope(message.tenant_id) as scope:
        mine = Delivery.objects.for_tenant(message.tenant_id).filter(public_id=message.delivery_id)
        known = mine.values_list("provider", "step_run__maybe_done", "step_run__lost_attempts").first()
        last, maybe_done, lost = known or ("", False, 0)
        asked = candidates(message.tenant_id, channel, message.step, last, scope.now)
        may_have_it = bool(last and (maybe_done or lost))
        is_ours = last == SERVICE if may_have_it else not (asked or has_providers(message.tenant_id, channel))
        if default is not None and is_ours and last != SERVICE:
            mine.update(provider=SERVICE, turn_at=None)  # before it is asked: a worker may not live to tell
    if default is not None and is_ours:
        return default(message)
    if may_have_it:
        asked = the_same(asked, last)
        return _ask(message, asked, may_leave=False) if asked else _away(last)
    if not asked:
        raise Undeliverable("no_provider")
    return _ask(message, asked[:MOST_ASKED])


def _away(provider: str) -> Outcome:
    """Nobody was asked, and somebody may see to it before the tries are used up."""
    return Outcome(DeliveryStatus.TEMPORARY_FAILURE, AWAY, retryable=True, context={"provider": provider})


def _ask(message: Message, providers: list[Provider], *, may_leave: bool = True) -> Outcome:
    tried: list[dict[str, str]] = []
    waits: list[float | None] = []
    for provider in providers:
        turn = take_turn(message.tenant_id, message.delivery_id, provider)
        if turn.wait > 0:
            return _later(provider, turn.wait, tried)
        outcome = _try(message, provider)
        tried.append({"provider": provider.key, "outcome": outcome.word, "error": outcome.error})
        waits.append(outcome.retry_after)
        if not _certainly_not_done(outcome):
            break
        if may_leave:
            leave(message.tenant_id, message.delivery_id)
    told = {"provider": provider.key} | ({"tried": tried} if len(tried) > 1 else {})
    soonest = min((wait for wait in waits if wait is not None), default=None) if None not in waits else None
    return replace(outcome, retry_after=soonest, context={**outcome.context, **told})


def _later(provider: Provider, seconds: float, tried: list[dict[str, str]]) -> Outcome:
    """Its turn comes later, and no try is used up. `tried` are those before it that certainly did not take it."""
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    told = {"decided_by": str(Layer.PROVIDER), "rule": f"rate of {provider.key}", "until": until.isoformat()}
    return Outcome(HELD, RATE_LIMITED, context=told | ({"tried": tried} if tried else {}), until=until)


def _try(message: Message, provider: Provider) -> Outcome:
    try:
        outcome = provider_kind(provider.kind).send(message, opened(provider))
    except CannotOpen:
        outcome = Outcome(DeliveryStatus.TEMPORARY_FAILURE, "credentials cannot be opened", retryable=True)
    except Undeliverable as refused:
        outcome = refused.as_outcome()
    except Exception as error:  # a kind that breaks may have sent before it broke
        log.exception("provider_broke", provider=str(provider.public_id), kind=provider.kind)
        outcome = Outcome(DeliveryStatus.TEMPORARY_FAILURE, type(error).__name__, retryable=True, maybe_done=True)
    note_outcome(message.tenant_id, provider.pk, provider.failures, outcome)
    return outcome


def _certainly_not_done(outcome: Outcome) -> bool:
    """Whether another provider may be asked without a danger of sending twice."""
    return outcome.retryable and not outcome.maybe_done and outcome.word == DeliveryStatus.TEMPORARY_FAILURE
