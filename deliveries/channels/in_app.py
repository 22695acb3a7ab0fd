"""The in-app inbox: delivered by writing it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chimeway_py.rendering import Rendered
from deliveries.channels.base import Channel, Undeliverable
from deliveries.models import Delivery, InboxItem
from workflows.steps.base import CheckContext, Fault
from workflows.steps.sources import SOURCE, Facts, check_source, text_of, value_of


@dataclass(frozen=True, slots=True)
class Entry:
    """One item to be put into an inbox."""

    delivery: Delivery
    run_public_id: str
    content: Rendered
    data: Mapping[str, Any]


class InAppChannel(Channel):
    """Puts an item into a subject's inbox: the run's own subject, or the one that `to` names."""

    name = "in_app"
    required = ("template",)
    settles_at_once = True
    schema = {
        "to": SOURCE,
        "data": {
            "description": "names that the product shows beside the text, each with a path of the run",
            "type": "object",
            "propertyNames": {"$ref": "#/$defs/key"},
            "additionalProperties": SOURCE,
            "maxProperties": 20,
        },
    }

    def check(self, step: Mapping[str, Any], path: str, context: CheckContext) -> Iterator[Fault]:
        """Paths that lead nowhere."""
        yield from check_source(step.get("to"), f"{path}/to", context)
        for name, source in step.get("data", {}).items():
            yield from check_source(source, f"{path}/data/{name}", context)

    def recipient(self, step: Mapping[str, Any], facts: Facts) -> str:
        """The subject whose inbox it goes to. Raises `Undeliverable`."""
        subject = text_of(step.get("to", "run.subject"), facts)
        if not subject or len(subject) > 200 or "\0" in subject:
            raise Undeliverable("no_recipient")
        return subject

    def data_of(self, step: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
        """What the step's `data` names, with the values of this run."""
        return {name: value_of(source, facts) for name, source in step.get("data", {}).items()}

    def put(self, entries: Sequence[Entry], now: datetime) -> None:
        """Write the items in one statement, inside the planning transaction. Their deliveries are written already."""
        InboxItem.objects.bulk_create(_item(entry, now) for entry in entries)


def _item(entry: Entry, now: datetime) -> InboxItem:
    item = InboxItem(
        tenant_id=entry.delivery.tenant_id,
        delivery=entry.delivery,
        run_public_id=entry.run_public_id,
        step_key=entry.delivery.step_key,
        subject=entry.delivery.subject,
        created_at=now,
    )
    item.seal({"title": entry.content.subject, "body": entry.content.text, "data": dict(entry.data)})
    return item
