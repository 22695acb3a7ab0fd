"""Channels whose messages go out through the tenant's providers."""

from collections.abc import Iterator, Mapping
from typing import Any

from chimeway_py.errors import fault
from deliveries.channels.base import Channel, Message
from deliveries.models import Provider
from deliveries.providers.sending import Default, send_through
from tenants.scope import tenant_scope
from workflows.steps.base import CheckContext, Fault, Outcome
from workflows.steps.sources import check_source

PROVIDERS: Mapping[str, Any] = {
    "description": "the tenant's providers that may carry it, first come first asked; all of the channel by default",
    "type": "array",
    "items": {"$ref": "#/$defs/key"},
    "minItems": 1,
    "maxItems": 10,
    "uniqueItems": True,
}


class ProvidedChannel(Channel):
    """Asks one provider after the other, as `deliveries.providers.sending` tells."""

    def check(self, step: Mapping[str, Any], path: str, context: CheckContext) -> Iterator[Fault]:
        """A path that leads nowhere, and a provider that the tenant does not have."""
        yield from check_source(step.get("to"), f"{path}/to", context)
        if "providers" not in step or context.tenant_id is None:
            return
        with tenant_scope(context.tenant_id):
            mine = Provider.objects.filter(tenant_id=context.tenant_id, channel=self.name)
            known = set(mine.values_list("key", flat=True))
        for position, key in enumerate(step["providers"]):
            if key not in known:
                told = f"There is no provider {key!r} for the channel {self.name}."
                yield fault(f"{path}/providers/{position}", "unknown_provider", told)

    def send(self, message: Message) -> Outcome:
        """Through the first provider that can."""
        return send_through(message, self.name, self.default())

    def default(self) -> Default | None:
        """Who carries it for a tenant that has no provider of its own; nobody, unless a channel knows better."""
        return None
