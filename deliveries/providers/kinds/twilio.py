"""Short messages through Twilio, or whatever speaks as it does (https://www.twilio.com/docs/messaging/api)."""

import base64
import hmac
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from chimeway_py.errors import fault
from deliveries.channels.base import Message
from deliveries.providers.base import TOKEN, URL, Account, ProviderKind
from deliveries.providers.calling import json_of, outcome_of, post_form, url_faults
from deliveries.providers.reports import BadSignature, Incoming, Report, ReportKind
from deliveries.states import DeliveryStatus
from signals_app.verification.base import raw
from workflows.steps.base import Fault, Outcome

API = "https://api.twilio.com"
RETRIED = "#rc=5&rp=all"  # a report that we cannot take yet is sent again, which Twilio does only when it is asked to
_KINDS = {
    "delivered": ReportKind.DELIVERED,
    "read": ReportKind.OPENED,
    "undelivered": ReportKind.FAILED,
    "failed": ReportKind.FAILED,
}
STOPPED = 21610  # the recipient answered STOP
_OF_THE_ACCOUNT = frozenset({21212, 21603, 21606, 21659, 21660, 21701, 21703})
"""Codes that speak of the sender and not of the message: the next provider may well take it."""
SENDER = {
    "description": "a number such as +15550001111, a short code, a name of at most 11 letters and digits, whatsapp:+1…",
    "type": "string",
    "pattern": r"^(\+?[0-9]{3,15}|(?=.*[A-Za-z])[A-Za-z0-9 &_+-]{1,11}|[a-z]+:[!-~]{1,200})(?!\n)$",
}


class TwilioProvider(ProviderKind):
    """One message for one number, under the effect key as its idempotency token."""

    name, channel = "twilio", "sms"
    config = {
        "account_sid": {"type": "string", "pattern": r"^[A-Za-z0-9]{1,64}(?!\n)$"},
        "from": SENDER,
        "messaging_service": {"type": "string", "pattern": r"^[A-Za-z0-9]{1,64}(?!\n)$"},
        "url": URL,
    }
    required = ("account_sid",)
    credentials = {"auth_token": TOKEN}
    secret = ("auth_token",)

    def check(self, config: Mapping[str, Any], credentials: Mapping[str, str]) -> Iterator[Fault]:
        """No sender, or two; an address that we do not call."""
        if ("from" in config) == ("messaging_service" in config):
            yield fault("/config/from", "required", "A number in `from`, or a `messaging_service`.")
        yield from url_faults("/config/url", config.get("url", API))

    def send(self, message: Message, account: Account) -> Outcome:
        """One call."""
        sid, token = account.config["account_sid"], account.credentials["auth_token"]
        url = f"{account.config.get('url', API).rstrip('/')}/2010-04-01/Accounts/{sid}/Messages.json"
        basic = base64.b64encode(f"{sid}:{token}".encode()).decode()
        headers = {"authorization": f"Basic {basic}", "i-twilio-idempotency-token": message.key}
        called = post_form(url, _fields(message, account), headers)
        said = json_of(called)
        outcome = outcome_of(called, str(said.get("sid", ""))[:64])
        if said.get("code") == STOPPED and called.error:
            return Outcome(DeliveryStatus.SUPPRESSED, f"twilio {STOPPED}")
        if outcome.word == DeliveryStatus.PERMANENT_FAILURE and isinstance(said.get("code"), int):
            if said["code"] in _OF_THE_ACCOUNT:
                return Outcome(DeliveryStatus.TEMPORARY_FAILURE, f"twilio {said['code']}", retryable=True)
            return Outcome(outcome.word, f"twilio {said['code']}")
        return outcome

    def reports(self, account: Account, incoming: Incoming) -> list[Report]:
        """The status of one message, signed with the token over the whole address and every field."""
        fields = {name: str(value) for name, value in incoming.request.POST.items()}
        signed = incoming.url + "".join(f"{name}{fields[name]}" for name in sorted(fields))
        key = account.credentials["auth_token"].encode()
        expected = base64.b64encode(hmac.digest(key, signed.encode(), "sha1"))
        if not hmac.compare_digest(expected, raw(incoming.headers.get("X-Twilio-Signature", ""))):
            raise BadSignature
        kind = _KINDS.get(fields.get("MessageStatus", ""))
        if kind is None:  # on its way, which nobody waits for
            return []
        code = fields.get("ErrorCode", "")
        told = code if code.isascii() and code.isdigit() and len(code) <= 10 else ""
        delivery = incoming.request.GET.get("delivery", "")
        return [Report(kind, delivery, fields.get("MessageSid", "")[:64], told)]


def _fields(message: Message, account: Account) -> dict[str, str]:
    fields = {"To": message.recipient, "Body": message.content.text}
    if "from" in account.config:
        fields["From"] = account.config["from"]
    else:
        fields["MessagingServiceSid"] = account.config["messaging_service"]
    if settings.PUBLIC_URL:
        fields["StatusCallback"] = callback_url(account.public_id, message.delivery_id) + RETRIED
    return fields


def callback_url(provider: str, delivery: str) -> str:
    """Where Twilio tells what became of one message. The whole address is signed, so it may name the delivery."""
    return f"{settings.PUBLIC_URL.rstrip('/')}/hooks/providers/{provider}?delivery={delivery}"
