"""Seeing what a template says before anybody gets it: a preview, and a real message to oneself.

Both go the way of every message: the preview is composed where messages are composed, and the test is a run of a
definition of its own, with its step, its delivery, its attempts and its trace.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chimeway_py.errors import Invalid, NotFound, fault
from chimeway_py.rendering import MissingVariable, Rendered, TemplateFault
from chimeway_py.text import is_storable, scalar_text
from deliveries.channels.base import Channel
from deliveries.channels.registry import channel as channel_named
from deliveries.locales import wanted_locale
from deliveries.preferences.links import sample_url
from deliveries.recipients.addressing import recipient_tree
from deliveries.services.templates import find_version
from deliveries.services.trying import check_test_address
from deliveries.services.words import COALESCED, TEST_RUNS, coalesced_facts
from deliveries.standing import standing_of
from deliveries.wording import Asked, compose, stored_wordings
from tenants.scope import tenant_scope
from workflows.engine.facts import STEPS
from workflows.services.definitions import ensure_definition
from workflows.services.start import NewRun, Started, start_runs
from workflows.steps.sources import Facts, facts_of

TO, LOCALE = "_to", "_locale"
"""Where the data of a test run keep what the sample data do not say."""

_READER = {"locale": f"data.{LOCALE}"}
"""What the step of a test says of its reader, and of whom a preview is for: a locale of the sample, else their own."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a preview or a test speaks about. Without a version: the draft, or else the published one.

    `steps` is what steps brought back, by their keys; `coalesced` how many messages it stands for besides itself.
    """

    data: Mapping[str, Any] = field(default_factory=dict)
    steps: Mapping[str, Any] = field(default_factory=dict)
    coalesced: Mapping[str, Any] = field(default_factory=dict)
    correlation: Mapping[str, Any] = field(default_factory=dict)
    subject: str = "sample"
    locale: str = ""
    version: int | None = None

    @property
    def run_data(self) -> dict[str, Any]:
        """The data of a run whose steps have brought that back."""
        steps = {f"{STEPS}{key}": value for key, value in self.steps.items()}
        said = {**self.data, **steps, LOCALE: self.locale}
        return said | ({COALESCED: self.coalesced} if self.coalesced else {})


@dataclass(frozen=True, slots=True)
class Preview:
    """A message as it would go out. An empty `locale` is the wording for everybody."""

    version: int
    layout_version: int | None
    locale: str
    content: Rendered


def preview_template(*, tenant_id: int, key: str, channel: str, sample: Sample) -> Preview:
    """The message that a template makes of sample data. Raises `NotFound`, and `Invalid` when it cannot be made."""
    _check(sample)
    with tenant_scope(tenant_id):
        asked = _asked(tenant_id, key, channel, sample)
        wording = stored_wordings(tenant_id, [asked])[asked]
        recipient = standing_of(tenant_id, [sample.subject]).recipients.get(sample.subject)
    facts = {**_facts(channel_named(channel), sample), "recipient": recipient_tree(sample.subject, recipient)}
    try:
        locale, content = compose(wording, wanted_locale(_READER, facts), facts)
    except TemplateFault as error:
        raise Invalid("The message cannot be made.", [fault(_place_of(error), error.code, error.message)]) from error
    return Preview(asked.version or 0, wording.layout.number if wording.layout else None, locale, content)


def send_test(*, tenant_id: int, key: str, channel: str, to: Any = None, sample: Sample) -> Started:
    """A run that sends the message to `to`, whatever its subject is called. Raises `NotFound` and `Invalid`.

    Without `to` where the channel's accounts lead, if they lead to one place. A message that could not be made is
    refused before anything is started.
    """
    to = to.strip() if isinstance(to, str) else to
    with tenant_scope(tenant_id):
        preview_template(tenant_id=tenant_id, key=key, channel=channel, sample=sample)
        asked = _asked(tenant_id, key, channel, sample)
        document = _document(asked, sample.correlation, is_addressed=bool(to))
        check_test_address(channel_named(channel), to)
        definition = ensure_definition(tenant_id=tenant_id, document=document)
        data = sample.run_data | ({TO: to} if to else {})
        new = NewRun(subject=sample.subject, correlation=sample.correlation, data=data)
        (started,) = start_runs(tenant_id=tenant_id, definition_key=TEST_RUNS, runs=[new], version=definition.version)
        return started


def _check(sample: Sample) -> None:
    """Raise `Invalid` for what no run could be started with."""
    faults = [
        fault(f"/correlation/{name}", "bad_value", "Text of 1 to 200 characters, a whole number or a boolean.")
        for name, value in sample.correlation.items()
        if not (isinstance(value, str | int) and scalar_text(value) and is_storable(scalar_text(value), 200))
    ]
    if not sample.subject or not is_storable(sample.subject, 200):
        faults.append(fault("/subject", "bad_subject", "Text of 1 to 200 characters, without NUL or lone surrogates."))
    if faults:
        raise Invalid("The sample is not valid.", faults)


def _facts(chosen: Channel, sample: Sample) -> Facts:
    """What the template sees. A message that settles at once is never joined to another, and holds no link.

    The link of a sample leads nowhere: there is nobody yet whom it could unsubscribe.
    """
    facts = facts_of(
        run_public_id="00000000-0000-0000-0000-000000000000",
        subject=sample.subject,
        correlation={name: scalar_text(value) for name, value in sample.correlation.items()},
        definition_key=TEST_RUNS,
        data=sample.run_data,
    )
    if chosen.settles_at_once:
        return facts
    return {**facts, "coalesced": coalesced_facts(0, facts), "unsubscribe_url": sample_url()}


_PLACES = {"recipient": "/subject", "steps": "/steps", "coalesced": "/coalesced", "run": "/correlation"}


def _place_of(error: TemplateFault) -> str:
    """Which member of the sample has to say more."""
    root = error.variable.split(".")[0] if isinstance(error, MissingVariable) else ""
    return _PLACES.get(root, "/data")


def _asked(tenant_id: int, key: str, channel: str, sample: Sample) -> Asked:
    found = find_version(tenant_id=tenant_id, key=key, channel=channel, number=sample.version)
    if found is None:
        raise NotFound
    return Asked(channel, key, found.number)


def _document(asked: Asked, correlation: Mapping[str, Any], *, is_addressed: bool) -> dict[str, Any]:
    """A test comes at any hour, however many came before."""
    chosen = channel_named(asked.channel)
    step = {
        "key": "send",
        "kind": "deliver",
        "channel": asked.channel,
        "template": asked.key,
        "template_version": asked.version,
        **_READER,
        **({} if chosen.settles_at_once else {"quiet_hours": "override", "caps": "override"}),
        "retry": {"max_attempts": 1},
    } | ({"to": f"data.{TO}"} if is_addressed else {})
    if "to" not in chosen.schema:
        told = f"The channel {asked.channel} sends nowhere but to what its steps name; try it with a run."
        raise Invalid("The test is not valid.", [fault("/channel", "no_test", told)])
    name = f"Tests of templates: {asked.key}"
    document = {"key": TEST_RUNS, "name": name, "steps": [step]}
    return document | ({"correlation": sorted(correlation)} if correlation else {})
