"""Seeing what a template says before anybody gets it: a preview, and a real message to oneself.

Both go the way of every message: the preview is composed where messages are composed, and the test is a run of a
definition of its own, with its step, its delivery, its attempts and its trace.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chimeway_py.errors import Invalid, NotFound, fault
from chimeway_py.rendering import Rendered, TemplateFault
from deliveries.channels.registry import channel as channel_named
from deliveries.recipients.addressing import recipient_tree
from deliveries.services.templates import find_version
from deliveries.standing import standing_of
from deliveries.wording import Asked, compose, stored_wordings
from tenants.scope import tenant_scope
from workflows.services.definitions import ensure_definition
from workflows.services.start import NewRun, Started, start_runs
from workflows.steps.sources import facts_of

TEST_RUNS = "chimeway_template_test"
TO, LOCALE = "_to", "_locale"
"""Where the data of a test run keep what the sample data do not say."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a preview or a test speaks about. Without a version: the draft, or else the published one."""

    data: Mapping[str, Any] = field(default_factory=dict)
    subject: str = "sample"
    locale: str = ""
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """A message as it would go out. An empty `locale` is the wording for everybody."""

    version: int
    layout_version: int | None
    locale: str
    content: Rendered


def preview_template(*, tenant_id: int, key: str, channel: str, sample: Sample) -> Preview:
    """The message that a template makes of sample data. Raises `NotFound`, and `Invalid` when it cannot be made."""
    with tenant_scope(tenant_id):
        asked = _asked(tenant_id, key, channel, sample)
        wording = stored_wordings(tenant_id, [asked])[asked]
        recipient = standing_of(tenant_id, [sample.subject]).recipients.get(sample.subject)
    facts = facts_of(
        run_public_id="00000000-0000-0000-0000-000000000000",
        subject=sample.subject,
        correlation={},
        definition_key=TEST_RUNS,
        data=sample.data,
    )
    facts = {**facts, "recipient": recipient_tree(sample.subject, recipient)}
    try:
        locale, content = compose(wording, sample.locale, facts)
    except TemplateFault as error:
        raise Invalid("The message cannot be made.", [fault("/data", error.code, error.message)]) from error
    return Preview(asked.version or 0, wording.layout.number if wording.layout else None, locale, content)


def send_test(*, tenant_id: int, key: str, channel: str, to: str, sample: Sample) -> Started:
    """A run that sends the message to `to`, whatever its subject is called. Raises `NotFound` and `Invalid`.

    A message that could not be made is refused before anything is started.
    """
    with tenant_scope(tenant_id):
        preview_template(tenant_id=tenant_id, key=key, channel=channel, sample=sample)
        asked = _asked(tenant_id, key, channel, sample)
        definition = ensure_definition(tenant_id=tenant_id, document=_document(asked))
        if not to.strip():
            raise Invalid("The test is not valid.", [fault("/to", "required", "Say whom to send it to.")])
        data = {**sample.data, TO: to, LOCALE: sample.locale}
        new = NewRun(subject=sample.subject, data=data)
        (started,) = start_runs(tenant_id=tenant_id, definition_key=TEST_RUNS, runs=[new], version=definition.version)
        return started


def _asked(tenant_id: int, key: str, channel: str, sample: Sample) -> Asked:
    found = find_version(tenant_id=tenant_id, key=key, channel=channel, number=sample.version)
    if found is None:
        raise NotFound
    return Asked(channel, key, found.number)


def _document(asked: Asked) -> dict[str, Any]:
    chosen = channel_named(asked.channel)
    step = {
        "key": "send",
        "kind": "deliver",
        "channel": asked.channel,
        "template": asked.key,
        "template_version": asked.version,
        "locale": f"data.{LOCALE}",
        "retry": {"max_attempts": 1},
    }
    if "to" not in chosen.schema:
        told = f"The channel {asked.channel} sends nowhere but to what its steps name; try it with a run."
        raise Invalid("The test is not valid.", [fault("/channel", "no_test", told)])
    name = f"Tests of templates: {asked.key}"
    return {"key": TEST_RUNS, "name": name, "steps": [step | {"to": f"data.{TO}"}]}
