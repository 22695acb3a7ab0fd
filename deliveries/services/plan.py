"""Planning deliveries, in the transaction that advances their runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from chimeway_py.rendering import Rendered, TemplateFault
from chimeway_py.text import is_storable
from deliveries.channels.base import Channel, Undeliverable
from deliveries.channels.in_app import Entry, InAppChannel
from deliveries.channels.registry import channel
from deliveries.gate import DECIDED, may_go
from deliveries.locales import wanted_locale
from deliveries.models import Delivery
from deliveries.recipients import digest_of, masked
from deliveries.recipients.addressing import addressed, refusal, whom
from deliveries.services.events import record_settled
from deliveries.services.words import asked_by, note_words
from deliveries.standing import Standing, standing_of
from deliveries.states import DeliveryStatus
from deliveries.timing.releasing import about_to_hold
from deliveries.wording import Asked, compose, wordings_of_runs
from workflows.steps.base import Outcome, PlannedStep
from workflows.steps.sources import Facts, facts_of


@dataclass(slots=True)
class _Draft:
    """A delivery about to be written, and how it ended if it ended here."""

    planned: PlannedStep
    channel: Channel
    facts: Facts
    delivery: Delivery
    content: Rendered | None = None
    outcome: Outcome | None = None

    @property
    def is_held(self) -> bool:
        """Whether a rule lets it go later."""
        return self.outcome is not None and self.outcome.until is not None


def plan_deliveries(
    *,
    planned: Sequence[PlannedStep],
    now: datetime,
    resent: Mapping[str, Any] = MappingProxyType({}),
    again: bool = False,
) -> dict[int, Outcome]:
    """Write one delivery per step run, all of one tenant; returns the outcomes of those that end here, by step run id.

    `resent` says of which delivery they are resends, and why. `again`: they were planned before, came to nothing, and
    their deliveries are planned anew under the same keys. Needs the tenant's scope. A few statements, however many runs
    move together.
    """
    drafts = _drafts(planned, now, resent)
    if again:
        _find_again(drafts)
    _render_at_once([draft for draft in drafts if draft.channel.settles_at_once and draft.outcome is None])
    for draft in drafts:
        _note_outcome(draft, now)
    if again:
        Delivery.objects.bulk_update([draft.delivery for draft in drafts], _PLANNED)
    else:
        Delivery.objects.bulk_create(draft.delivery for draft in drafts)
    record_settled(planned[0].tenant_id, [draft.delivery.pk for draft in drafts if draft.outcome is not None])
    in_app = [draft for draft in drafts if draft.content is not None]
    _put_into_inboxes(in_app, now)
    return {draft.planned.step_run_id: draft.outcome for draft in drafts if draft.outcome is not None}


_PLANNED = (
    "subject", "recipient_digest", "recipient_masked", "status", "error", "planned_at", "sending_at", "delivered_at",
    "settled_at", "bounced_at", "failed_at", "confirmed_at", *DECIDED,
)  # fmt: skip


def _find_again(drafts: Sequence[_Draft]) -> None:
    """The drafts take the place of the deliveries that their step runs have."""
    tenant_id, ids = drafts[0].planned.tenant_id, [draft.planned.step_run_id for draft in drafts]
    met = {one.step_run_id: one for one in Delivery.objects.for_tenant(tenant_id).filter(step_run_id__in=ids)}
    for draft in drafts:
        known = met[draft.planned.step_run_id]
        draft.delivery.pk, draft.delivery.public_id = known.pk, known.public_id


def _drafts(planned: Sequence[PlannedStep], now: datetime, resent: Mapping[str, Any]) -> list[_Draft]:
    """A draft of each, judged by what is on file about its recipient."""
    known = [
        facts_of(
            run_public_id=one.run_public_id,
            subject=one.subject,
            correlation=one.correlation,
            definition_key=one.definition_key,
            data=one.data,
        )
        for one in planned
    ]
    recipients = [whom(one.step.config, facts) for one, facts in zip(planned, known, strict=True)]
    tenant_id, judged = planned[0].tenant_id, list(zip(planned, known, recipients, strict=True))
    standing = standing_of(tenant_id, recipients)
    drafts = [_draft(*one, standing, now, resent) for one in judged]
    if any(draft.is_held for draft in drafts):  # by rules that may be changed at this very moment
        about_to_hold(tenant_id)
        standing = standing_of(tenant_id, recipients)
        both = zip(drafts, judged, strict=True)
        drafts = [_draft(*one, standing, now, resent) if draft.is_held else draft for draft, one in both]
    return drafts


def _draft(
    one: PlannedStep, facts: Facts, recipient: str, standing: Standing, now: datetime, resent: Mapping[str, Any]
) -> _Draft:
    step = one.step.config
    chosen = channel(step["channel"])
    delivery = Delivery(
        tenant_id=one.tenant_id,
        run_id=one.run_id,
        step_run_id=one.step_run_id,
        definition_key=one.definition_key,
        step_key=one.step.key,
        visit=one.visit,
        key=one.key,
        channel=chosen.name,
        template=step.get("template", ""),
        category=step.get("category", ""),
        subject=recipient if is_storable(recipient, 200) and recipient else one.subject,
        planned_at=now,
        **resent,
    )
    draft = _Draft(one, chosen, facts, delivery)
    try:
        there = addressed(step, facts, chosen, standing.recipients.get(recipient))
        draft.facts = there.facts
        _address(delivery, chosen, chosen.recipient(there.step, there.facts))
        verdict = may_go(delivery, step, there.facts, standing, now)
        draft.outcome = None if verdict.may_go else verdict.as_outcome()
    except Undeliverable as refused:
        draft.outcome = refusal(step, refused)
    return draft


def _address(delivery: Delivery, chosen: Channel, recipient: str) -> None:
    """An inbox belongs to a subject; any other address is kept as digest and mask only."""
    if isinstance(chosen, InAppChannel):
        delivery.subject = recipient
        return
    delivery.recipient_digest = digest_of(delivery.tenant_id, recipient)
    delivery.recipient_masked = masked(recipient) if chosen.masks_recipient else recipient


def _render_at_once(drafts: Sequence[_Draft]) -> None:
    """Write the messages of channels that settle at once, or say why that cannot be done."""
    if not drafts:
        return
    wordings = wordings_of_runs(drafts[0].planned.tenant_id, map(_wanted, drafts))
    for draft in drafts:
        wording = wordings.get(_wanted(draft))
        if wording is None:
            draft.outcome = Undeliverable("no_template").as_outcome()
            continue
        try:
            locale = wanted_locale(draft.planned.step.config, draft.facts)
            note_words(draft.delivery, wording, locale)
            draft.content = compose(wording, locale, draft.facts)[1]
            draft.outcome = Outcome(DeliveryStatus.DELIVERED)
        except TemplateFault as error:
            draft.outcome = Undeliverable(f"template: {error.message}"[:200]).as_outcome()


def _wanted(draft: _Draft) -> tuple[int, Asked]:
    return draft.planned.run_id, asked_by(draft.delivery, draft.planned.step.config)


def _note_outcome(draft: _Draft, now: datetime) -> None:
    if draft.outcome is None:
        return
    delivery, outcome = draft.delivery, draft.outcome
    draft.outcome = replace(outcome, context={**outcome.context, "delivery": str(delivery.public_id)})
    if outcome.until is not None:
        return  # planned, as `held_until` says
    delivery.status, delivery.error, delivery.settled_at = outcome.word, outcome.error, now
    if outcome.word == DeliveryStatus.DELIVERED:
        delivery.sending_at = delivery.delivered_at = now


def _put_into_inboxes(drafts: Sequence[_Draft], now: datetime) -> None:
    inbox = InAppChannel()
    entries = [
        Entry(
            draft.delivery,
            draft.planned.run_public_id,
            draft.content,
            inbox.data_of(draft.planned.step.config, draft.facts),
        )
        for draft in drafts
        if draft.content is not None
    ]
    if entries:
        inbox.put(entries, now)
