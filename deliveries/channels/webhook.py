"""Webhooks, signed as Standard Webhooks says (https://www.standardwebhooks.com), through the guarded way out."""

import hashlib
import json
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
from standardwebhooks import Webhook

from chimeway_py import __version__
from chimeway_py.errors import fault
from chimeway_py.outbound.client import Answer, RequestTooLarge, exchange
from chimeway_py.outbound.guard import AddressRefused
from deliveries.channels.base import Channel, Message, Undeliverable
from deliveries.models import Endpoint
from deliveries.states import DeliveryStatus
from tenants.scope import tenant_scope
from workflows.steps.base import CheckContext, Fault, Outcome
from workflows.steps.sources import SOURCE, Facts, check_source, value_of

GONE = "http 410"
LONGEST_RETRY_AFTER = 24 * 3600.0
_ASKS_TO_RETRY = frozenset({408, 425, 429})


class WebhookChannel(Channel):
    """Posts JSON to one of the tenant's endpoints."""

    name = "webhook"
    required = ("endpoint",)
    masks_recipient = False
    schema = {
        "endpoint": {"$ref": "#/$defs/key"},
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
        if context.tenant_id is not None and _endpoint(context.tenant_id, step["endpoint"]) is None:
            yield fault(f"{path}/endpoint", "unknown_endpoint", f"There is no endpoint {step['endpoint']!r}.")

    def recipient(self, step: Mapping[str, Any], facts: Facts) -> str:
        """The endpoint's key."""
        return str(step["endpoint"])

    def send(self, message: Message) -> Outcome:
        """Post it once."""
        endpoint = _endpoint(message.tenant_id, message.recipient)
        if endpoint is None:
            raise Undeliverable("no_endpoint")
        if not endpoint.enabled:
            raise Undeliverable("endpoint_disabled", DeliveryStatus.SUPPRESSED)
        body = body_of(message)
        headers = signed_headers(endpoint, message.key, body, datetime.now(UTC))
        try:
            answer = exchange("POST", endpoint.url, content=body.encode(), headers=headers)
        except AddressRefused as error:
            return Outcome(DeliveryStatus.PERMANENT_FAILURE, f"address refused: {error.reason}")
        except RequestTooLarge:
            return Outcome(DeliveryStatus.PERMANENT_FAILURE, "message too large")
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol):
            return Outcome(DeliveryStatus.PERMANENT_FAILURE, "malformed url")
        except httpx2.HTTPError as error:
            return _network_outcome(error)
        return outcome_of(answer)


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


def webhook_id(key: str) -> str:
    """The `webhook-id` that belongs to an effect key: receivers drop what they have seen under it."""
    return f"msg_{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def signed_headers(endpoint: Endpoint, key: str, body: str, now: datetime) -> dict[str, str]:
    """Headers of one try. Every live secret signs, so that a receiver verifies with whichever it has."""
    identity = webhook_id(key)
    return {
        "content-type": "application/json",
        "user-agent": f"chimeway_py/{__version__}",
        "webhook-id": identity,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(
            Webhook(secret).sign(identity, now, body) for secret in endpoint.live_secrets(now)
        ),
    }


def outcome_of(answer: Answer) -> Outcome:
    """What a receiver's answer means."""
    status, error = answer.status, f"http {answer.status}"
    if 200 <= status < 300:
        return Outcome(DeliveryStatus.DELIVERED)
    if status >= 500 or status in _ASKS_TO_RETRY:
        wait = retry_after(answer.headers.get("retry-after", "")) if status in (429, 503) else None
        return Outcome(DeliveryStatus.TEMPORARY_FAILURE, error, retryable=True, retry_after=wait)
    return Outcome(DeliveryStatus.PERMANENT_FAILURE, error)


def retry_after(header: str) -> float | None:
    """Seconds that a `Retry-After` asks for (a number or an HTTP date), at most a day; None when it makes no sense."""
    try:
        if header.isascii() and header.isdigit():
            seconds = float(header[:12])
        else:
            seconds = (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def _network_outcome(error: httpx2.HTTPError) -> Outcome:
    """A certificate that does not prove the name will not do so in a minute; everything else may pass."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Outcome(DeliveryStatus.PERMANENT_FAILURE, "certificate not valid")
        cause = cause.__cause__ or cause.__context__
    return Outcome(DeliveryStatus.TEMPORARY_FAILURE, f"network {type(error).__name__}", retryable=True)


def _endpoint(tenant_id: int, key: str) -> Endpoint | None:
    with tenant_scope(tenant_id):
        return Endpoint.objects.filter(tenant_id=tenant_id, key=key).first()
