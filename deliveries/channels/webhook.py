"""Webhooks, signed as Standard Webhooks says (https://www.standardwebhooks.com), through the guarded way out."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from chimeway_py.errors import fault
from chimeway_py.outbound.call import Called, call
from chimeway_py.outbound.signing import signed_headers, webhook_id
from deliveries.channels.base import Channel, Message, Undeliverable
from deliveries.endpoint_health import note_try
from deliveries.models import Endpoint
from deliveries.states import DeliveryStatus
from tenants.scope import tenant_scope
from workflows.steps.base import CheckContext, Fault, Outcome
from workflows.steps.sources import SOURCE, Facts, check_source, value_of

OF_RECIPIENT = {"of": "recipient"}  # each recipient has an endpoint of their own, named as their address


class WebhookChannel(Channel):
    """Posts JSON to one of the tenant's endpoints."""

    name = "webhook"
    required = ("endpoint",)
    masks_recipient = False
    schema = {
        "endpoint": {
            "description": "the key of an endpoint, or the one that is the recipient's webhook address",
            "anyOf": [{"$ref": "#/$defs/key"}, {"const": OF_RECIPIENT}],
        },
        "data": {
            "description": "names for the receiver, each with a path of the run",
            "type": "object",
            "propertyNames": {"$ref": "#/$defs/key"},
            "additionalProperties": SOURCE,
            "maxProperties": 20,
        },
    }

    def check(self, step: Mapping[str, Any], path: str, context: CheckContext) -> Iterator[Fault]:
        """Paths that lead nowhere, and an endpoint that the tenant does not have."""
        for name, source in step.get("data", {}).items():
            yield from check_source(source, f"{path}/data/{name}", context)
        named = step["endpoint"]
        if named != OF_RECIPIENT and context.tenant_id is not None and _endpoint(context.tenant_id, named) is None:
            yield fault(f"{path}/endpoint", "unknown_endpoint", f"There is no endpoint {named!r}.")

    def recipient(self, step: Mapping[str, Any], facts: Facts) -> str:
        """The endpoint's key. Raises `Undeliverable`."""
        if step["endpoint"] != OF_RECIPIENT:
            return str(step["endpoint"])
        key = facts["recipient"]["addresses"].get(self.name)
        if not key:
            raise Undeliverable("no_recipient")
        if not isinstance(key, str):
            raise Undeliverable("invalid_address")
        return key

    def send(self, message: Message) -> Outcome:
        """Post it once."""
        endpoint = _endpoint(message.tenant_id, message.recipient)
        if endpoint is None:
            raise Undeliverable("no_endpoint")
        if not endpoint.enabled:
            raise Undeliverable("endpoint_disabled", DeliveryStatus.SUPPRESSED)
        now, body = datetime.now(UTC), body_of(message)
        headers = signed_headers(endpoint.live_secrets(now), webhook_id(message.key), body, now)
        called = call("POST", endpoint.url, content=body.encode(), headers=headers)
        note_try(endpoint, called)
        outcome = outcome_of(called)
        if message.step.get("endpoint") != OF_RECIPIENT:
            return outcome
        return replace(outcome, context={**outcome.context, "endpoint": endpoint.key})


def body_of(message: Message) -> str:
    """The JSON of a message, the same text at every try."""
    run, content = message.facts["run"], message.content
    data = {
        "delivery_id": message.delivery_id,
        "run_id": run["id"],
        "workflow": run["definition"],
        "step": message.step["key"],
        "subject": run["subject"],
        "correlation": run["correlation"],
        "data": {name: value_of(source, message.facts) for name, source in message.step.get("data", {}).items()},
    }
    texts = {"title": content.subject, "text": content.text, "html": content.html}
    whole = {
        "type": f"{run['definition']}.{message.step['key']}",
        "timestamp": message.planned_at,
        "data": data | {name: text for name, text in texts.items() if text},
    }
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))


def outcome_of(called: Called) -> Outcome:
    """What became of a message, by what the call came to."""
    if not called.error:
        return Outcome(DeliveryStatus.DELIVERED)
    word = DeliveryStatus.TEMPORARY_FAILURE if called.retryable else DeliveryStatus.PERMANENT_FAILURE
    return Outcome(word, called.error, called.retryable, called.retry_after, maybe_done=called.maybe_done)


def _endpoint(tenant_id: int, key: str) -> Endpoint | None:
    with tenant_scope(tenant_id):
        return Endpoint.objects.filter(tenant_id=tenant_id, key=key).first()
