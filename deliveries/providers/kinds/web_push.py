"""Web push (RFC 8030): a message for one browser, left with the push service of its maker."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from chimeway_py.errors import fault
from chimeway_py.outbound.call import call
from chimeway_py.outbound.signing import USER_AGENT
from deliveries.channels.base import Message, Undeliverable
from deliveries.channels.push import subscription_of
from deliveries.providers.base import Account, ProviderKind
from deliveries.providers.calling import outcome_of
from deliveries.providers.push_encryption import (
    LONGEST,
    decode,
    encode,
    encrypt,
    new_private_key,
    private_key_of,
    public_key_of,
    vapid,
)
from deliveries.states import DeliveryStatus
from workflows.steps.base import Fault, Outcome

_GONE = frozenset({404, 410})  # RFC 8030: the subscription is no more
DAY = 86_400


class WebPushProvider(ProviderKind):
    """Signs with a key of the tenant, which is made here unless it is brought. `public_key` is what pages need."""

    name, channel = "web_push", "push"
    config = {
        "contact": {"type": "string", "pattern": "^(mailto:|https://).+$", "maxLength": 320},
        "keep_seconds": {"type": "integer", "minimum": 0, "maximum": 28 * DAY},
        "public_key": {"type": "string", "maxLength": 100},
    }
    required = ("contact",)
    credentials = {"private_key": {"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"}}

    def check(self, config: Mapping[str, Any], credentials: Mapping[str, str]) -> Iterator[Fault]:
        """A key that is none."""
        try:
            if "private_key" in credentials:
                private_key_of(credentials["private_key"])
        except ValueError:
            yield fault("/credentials/private_key", "bad_value", "32 bytes in base64url: a key of the curve P-256.")

    def made(self, config: Mapping[str, Any], credentials: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
        """A pair of keys, and the public one for everybody to see."""
        private = credentials.get("private_key") or new_private_key()
        public = encode(public_key_of(private_key_of(private)))
        return {**config, "public_key": public}, {**credentials, "private_key": private}

    def send(self, message: Message, account: Account) -> Outcome:
        """One call to the push service. A subscription that is gone bounced, and is left alone from now on."""
        browser = subscription_of(message.recipient)
        text = _text(message)
        if len(text) > LONGEST:
            raise Undeliverable("message too large")
        try:
            body = encrypt(text, decode(browser["keys"]["p256dh"]), decode(browser["keys"]["auth"]))
        except ValueError:
            raise Undeliverable("invalid_address") from None
        key = private_key_of(account.credentials["private_key"])
        headers = {
            "authorization": vapid(key, browser["endpoint"], account.config["contact"]),
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "ttl": str(account.config.get("keep_seconds", DAY)),
            "topic": encode(hashlib.sha256(message.key.encode()).digest()[:24]),  # a repeat replaces the first
            "user-agent": USER_AGENT,
        }
        called = call("POST", browser["endpoint"], content=body, headers=headers)
        if called.answer and called.answer.status in _GONE:
            return Outcome(DeliveryStatus.BOUNCED, called.error)
        location = called.answer.headers.get("location", "") if called.answer else ""
        return outcome_of(called, location[:255])


def _text(message: Message) -> bytes:
    said = {"title": message.content.subject, "body": message.content.text, "delivery": message.delivery_id}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
