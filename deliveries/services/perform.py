"""Sending one delivery: read what it needs in a short transaction, then render and send outside of any."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from chimeway_py.rendering import Rendered, TemplateFault
from deliveries.channels.base import Message, Undeliverable
from deliveries.channels.registry import channel
from deliveries.gate import DECIDED, may_go
from deliveries.locales import wanted_locale
from deliveries.models import Delivery
from deliveries.preferences.links import sample_url, unsubscribe_url
from deliveries.preferences.unsubscribe import unsubscribe_headers
from deliveries.recipients.addressing import Addressed, addressed, refusal, whom
from deliveries.services.handing_on import is_wanted
from deliveries.services.words import asked_by, coalesced_facts, note_words
from deliveries.standing import standing_of
from deliveries.states import OWED, DeliveryStatus, Layer
from deliveries.suppressions.reading import word_on
from deliveries.timing.caps import lock_places
from deliveries.timing.releasing import about_to_hold
from deliveries.wording import Wording, compose, find_wording
from tenants.scope import tenant_scope
from workflows.errors import RunDataGone
from workflows.models import Run
from workflows.services.documents import documents
from workflows.steps.base import Claim, Outcome
from workflows.steps.sources import Facts, facts_of
from workflows.store.answers import data_of


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What one try needs. `wording` is None when the step names no template; `settled` ends it before it begins."""

    delivery: Delivery
    step: Mapping[str, Any]
    facts: Facts
    wording: Wording | None
    settled: Outcome | None
    headers: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, str] = field(default_factory=dict)
    """What the run is told of why it went out, where that is not plain."""


def perform_delivery(*, claim: Claim) -> Outcome:
    """Try once to send what the claimed step run owes. Expected failures are outcomes; only `sending` is written."""
    with tenant_scope(claim.tenant_id) as scope:
        loaded = _load(claim, scope.now)
    outcome = loaded.settled or _known_by_now(loaded.delivery, _send(claim, loaded))
    maybe_done = outcome.maybe_done or outcome.word == DeliveryStatus.UNKNOWN
    context = {**outcome.context, **loaded.told, "delivery": str(loaded.delivery.public_id)}
    return replace(outcome, context=context, maybe_done=maybe_done)


def _send(claim: Claim, loaded: _Loaded) -> Outcome:
    chosen = channel(loaded.delivery.channel)
    try:
        recipient = chosen.recipient(loaded.step, loaded.facts)
        locale = wanted_locale(loaded.step, loaded.facts)
        content = compose(loaded.wording, locale, loaded.facts)[1] if loaded.wording else Rendered()
        return chosen.send(
            Message(
                tenant_id=claim.tenant_id,
                delivery_id=str(loaded.delivery.public_id),
                key=claim.key,
                attempt=claim.attempt_number,
                recipient=recipient,
                content=content,
                step=loaded.step,
                facts=loaded.facts,
                planned_at=loaded.delivery.planned_at.isoformat(),
                headers=loaded.headers,
            )
        )
    except TemplateFault as error:
        return Outcome(DeliveryStatus.PERMANENT_FAILURE, f"template: {error.message}"[:200])
    except Undeliverable as refused:
        return refusal(loaded.step, refused)


def _load(claim: Claim, now: datetime) -> _Loaded:
    """Read under the tenant's scope, and note that sending begins."""
    delivery = Delivery.objects.of_step_run(claim.tenant_id, claim.step_run_id).get()
    run = Run.objects.for_tenant(claim.tenant_id).get(id=delivery.run_id)
    document = documents(claim.tenant_id, [run.definition_id])[run.definition_id].document.raw
    wording = None
    settled, despite = _settled_before(delivery)
    facts, gone = _facts(run)
    settled = settled or gone
    if delivery.stands_in_for is not None and not is_wanted(run):
        settled = Outcome(DeliveryStatus.SUPPRESSED, "run_ended")
    if delivery.template:
        wording = find_wording(claim.tenant_id, document, asked_by(delivery, claim.step))
        settled = settled or (Undeliverable("no_template").as_outcome() if wording is None else None)
    there = Addressed(claim.step, facts)
    if settled is None:
        there, settled = _judged(claim, delivery, there, now, despite=despite)
    if settled is None:
        if wording is not None:
            note_words(delivery, wording, wanted_locale(there.step, there.facts))
        mine = Delivery.objects.for_tenant(claim.tenant_id).filter(id=delivery.id).owed()
        words = {name: getattr(delivery, name) for name in ("template_version", "layout_version", "locale")}
        mine.update(status=DeliveryStatus.SENDING, sending_at=now, **words)
    link = _link(delivery) if settled is None else None
    facts = {**there.facts, "unsubscribe_url": link}
    headers = {} if delivery.is_test else unsubscribe_headers(link)  # of a test they would get no more anyway
    decided = {"decided_by": delivery.decided_by, "rule": delivery.decided_rule} if despite and settled is None else {}
    return _Loaded(delivery, there.step, facts, wording, settled, headers, decided)


def _link(delivery: Delivery) -> str | None:
    """Where its recipient refuses more of its kind, where that may be. Of a test it leads nowhere, as a preview's does.

    Whoever looks at a test does not refuse, and its subject may be somebody who never saw it.
    """
    if delivery.is_test:
        return sample_url()
    return unsubscribe_url(delivery) if delivery.decided_by != Layer.REQUIRED else None


def _judged(
    claim: Claim, delivery: Delivery, there: Addressed, now: datetime, *, despite: bool
) -> tuple[Addressed, Outcome | None]:
    """The step and facts with what is on file about the recipient now, and the outcome if the message may not go.

    `despite`: there is a complaint, which only what is required passes.
    """
    recipient = whom(there.step, there.facts)
    standing = standing_of(claim.tenant_id, [recipient])
    if despite and delivery.category not in standing.required:  # it was a moment ago
        return there, Outcome(DeliveryStatus.SUPPRESSED, "complained_before")
    try:
        there = addressed(there.step, there.facts, channel(delivery.channel), standing.recipients.get(recipient))
    except Undeliverable as refused:
        return there, refusal(there.step, refused)
    there = replace(there, facts={**there.facts, "coalesced": coalesced_facts(_joined(claim, delivery), there.facts)})
    verdict = may_go(delivery, there.step, there.facts, standing, now, is_sending=True)
    if verdict.until is not None:  # by rules that may be changed at this very moment
        about_to_hold(claim.tenant_id)
        verdict = may_go(
            delivery, there.step, there.facts, standing_of(claim.tenant_id, [recipient]), now, is_sending=True
        )
    if despite and verdict.may_go:
        delivery.decided_rule = f"{delivery.decided_rule}, also after a complaint"[:200]
    decided = {name: getattr(delivery, name) for name in DECIDED}
    Delivery.objects.for_tenant(claim.tenant_id).filter(id=delivery.id).owed().update(**decided)
    return there, None if verdict.may_go else verdict.as_outcome()


def _joined(claim: Claim, delivery: Delivery) -> int:
    """How many messages this one stands for besides itself.

    Nothing joins what was never held, so the first try of such a message asks nobody. Every later try says the same.
    What a cap holds may be joined at this very moment: then whoever joins has done so before it is counted, or finds
    that this one has gone.
    """
    if not delivery.held_by and claim.attempt_number == 1:
        return 0
    if delivery.held_by == "cap":
        lock_places(delivery)
    joined = Delivery.objects.for_tenant(delivery.tenant_id).filter(coalesced_into=delivery.public_id)
    return joined.exclude(id=delivery.resend_of_id or 0).count()


def _settled_before(delivery: Delivery) -> tuple[Outcome | None, bool]:
    """A delivery that has ended is not sent again, and an address that bounced or complained is left alone.

    Unless someone insists. The second answer is whether it goes on despite a complaint.
    """
    if delivery.status == DeliveryStatus.CANCELLED:  # the run ended between the claim and now
        return Outcome(DeliveryStatus.SUPPRESSED, "run_ended"), False
    if delivery.status not in OWED:
        return Outcome(delivery.status, delivery.error), False
    if (told := _told(delivery)) is not None:
        return told, False
    if channel(delivery.channel).heeds_bounces and not delivery.is_insisted_on:
        address = delivery.recipient_digest, delivery.channel
        word = word_on(delivery.tenant_id, *address, delivery.category, besides=delivery.public_id)
        return Outcome(DeliveryStatus.SUPPRESSED, word.error) if word.error else None, word.despite
    return None, False


def _told(delivery: Delivery) -> Outcome | None:
    """What the provider reported of an earlier try: then another one would only do harm."""
    if delivery.bounced_at and not (delivery.opened_at or delivery.clicked_at):
        return Outcome(DeliveryStatus.BOUNCED, "reported")
    if delivery.confirmed_at:
        return Outcome(DeliveryStatus.DELIVERED, "reported")
    return Outcome(DeliveryStatus.PERMANENT_FAILURE, "reported") if delivery.failed_at else None


def _known_by_now(delivery: Delivery, outcome: Outcome) -> Outcome:
    """The outcome of a try of which nobody saw the end, but of which the provider has told it meanwhile."""
    if not (outcome.maybe_done or outcome.word == DeliveryStatus.UNKNOWN):
        return outcome
    with tenant_scope(delivery.tenant_id):
        now = Delivery.objects.for_tenant(delivery.tenant_id).get(id=delivery.pk)
    return replace(_told(now) or outcome, context=outcome.context)


def _facts(run: Run) -> tuple[Facts, Outcome | None]:
    """What the message is made of; and the outcome, when that is not kept any more."""
    data: Any = {}
    gone: Outcome | None = None
    try:
        data = data_of(run.tenant_id, run.pk, run.data_sha)
    except RunDataGone as error:
        gone = Outcome(DeliveryStatus.PERMANENT_FAILURE, error.code)
    facts = facts_of(
        run_public_id=str(run.public_id),
        subject=run.subject,
        correlation=run.correlation,
        definition_key=run.definition_key,
        data=data,
    )
    return facts, gone
