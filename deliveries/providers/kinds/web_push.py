"""Web push (RFC 8030): a message for one browser, left with the push service of its maker."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from chimeway_py.errors import fault
from chimeway_py.outbound.call import call
from chimeway_py.outbound.signing import USER_AGENT
from deliveries.channels.base import Message, Undeliverable
from deliveries.channels.push import one_text, subscriptions_of
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
from deliveries.recipients.addresses import digest_of
from deliveries.states import GONE, DeliveryStatus
from workflows.steps.base import Fault, Outcome

_GONE = frozenset({404, 410})  # RFC 8030: the subscription is no more
DAY = 86_400
_BEST_FIRST = (
    DeliveryStatus.DELIVERED,
    DeliveryStatus.UNKNOWN,
    DeliveryStatus.TEMPORARY_FAILURE,
    DeliveryStatus.BOUNCED,
    DeliveryStatus.PERMANENT_FAILURE,
)


class WebPushProvider(ProviderKind):
    """Signs with a key of the tenant, which is made here unless it is brought. `public_key` is what pages need."""

    name, channel = "web_push", "push"
    config = {
        "contact": {"type": "string", "pattern": r"^(mailto:|https://)[!-~]+(?!\n)$", "maxLength": 320},
        "keep_seconds": {"type": "integer", "minimum": 0, "maximum": 28 * DAY},
        "public_key": {"type": "string", "maxLength": 100},
    }
    required = ("contact",)
    credentials = {"private_key": {"type": "string", "pattern": r"^[A-Za-z0-9_-]{43}(?!\n)$"}}

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
        """One call for each browser. It was delivered if one of them has it, and bounced if all of them are gone.

        Of several, the context names those that are gone, by digests: nobody need call them again.
        """
        text = _text(message)
        if len(text) > LONGEST:
            raise Undeliverable("message too large")
        browsers = subscriptions_of(message.recipient)
        outcomes = [self._send_one(browser, text, message, account) for browser in browsers]
        pairs = zip(browsers, outcomes, strict=True)
        gone = [one_text(browser) for browser, outcome in pairs if outcome.word == DeliveryStatus.BOUNCED]
        return _of_all(outcomes, [digest_of(message.tenant_id, one) for one in gone])

    def _send_one(self, browser: Mapping[str, Any], text: bytes, message: Message, account: Account) -> Outcome:
        try:
            body = encrypt(text, decode(browser["keys"]["p256dh"]), decode(browser["keys"]["auth"]))
        except ValueError:
            return Undeliverable("invalid_address").as_outcome()
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


def _of_all(outcomes: Sequence[Outcome], gone: Sequence[str]) -> Outcome:
    """What became of a message for several browsers: the best that any of them says.

    Whoever has it is not told again because another browser was out of reach; the context counts what each said.
    """
    if len(outcomes) == 1:
        return outcomes[0]
    best = min(outcomes, key=lambda one: _BEST_FIRST.index(one.word) if one.word in _BEST_FIRST else len(_BEST_FIRST))
    maybe_done = any(one.maybe_done for one in outcomes)
    told = {"browsers": Counter(o.word for o in outcomes)} | ({GONE: sorted(gone)} if gone else {})
    return replace(best, maybe_done=maybe_done, context={**best.context, **told})


def _text(message: Message) -> bytes:
    said = {"title": message.content.subject, "body": message.content.text, "delivery": message.delivery_id}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
