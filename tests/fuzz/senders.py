"""Who posts webhooks: each scheme and each provider that reports, with a good body and how any bytes are signed."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
BASE = "https://notify.example.com"
EC_KEY, RSA_KEY = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
TOPIC, CERTIFICATE = "arn:aws:sns:eu-west-1:123456789012:mail", "https://sns.eu-west-1.amazonaws.com/cert.pem"
_DER = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
PUBLIC = base64.b64encode(EC_KEY.public_key().public_bytes(*_DER)).decode()

Sign = Callable[[bytes, str], tuple[bytes, Mapping[str, str]]]
"""The bytes as they are posted to a path, and the headers that sign them."""


@dataclass(frozen=True)
class Sender:
    """A provider that reports: what it is stored with, what it posts, and how."""

    sign: Sign
    good: list[Any]
    config: Mapping[str, Any] = field(default_factory=dict)
    credentials: Mapping[str, str] = field(default_factory=dict)
    media: str = "application/json"


def _standard(body: bytes, path: str) -> tuple[bytes, Mapping[str, str]]:
    id_, at = f"msg_{hashlib.sha256(body).hexdigest()[:20]}", str(int(time.time()))
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signature = hmac.digest(key, f"{id_}.{at}.".encode() + body, "sha256")
    signed = f"v1,{base64.b64encode(signature).decode()}"
    return body, {"webhook-id": id_, "webhook-timestamp": at, "webhook-signature": signed}


def _github(body: bytes, path: str) -> tuple[bytes, Mapping[str, str]]:
    id_ = hashlib.sha256(body).hexdigest()[:20]
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return body, {"X-Hub-Signature-256": f"sha256={signature}", "X-GitHub-Delivery": id_, "X-GitHub-Event": "push"}


def _stripe(body: bytes, path: str) -> tuple[bytes, Mapping[str, str]]:
    at = str(int(time.time()))
    signature = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return body, {"Stripe-Signature": f"t={at},v1={signature}"}


SCHEMES: Mapping[str, Sign] = {"standard_webhooks": _standard, "github": _github, "stripe": _stripe}
EVENT = {
    "id": "evt_1",
    "type": "order.made",
    "created": 1_790_000_000,
    "data": {"customer": "ada", "object": {"id": "in_1", "lines": [{"sku": "a"}, 2, None, True, 1.5]}},
}
MAPPING = {
    "name": "type",
    "subject": "data.customer",
    "correlation": {"invoice": "data.object.id", "sku": "data.object.lines.0.sku"},
    "external_id": "id",
    "occurred_at": "created",
}


def _twilio(body: bytes, path: str) -> tuple[bytes, Mapping[str, str]]:
    pairs = dict(part.partition("=")[::2] for part in body.decode("latin-1").split("&"))
    signed = BASE + path + "".join(f"{name}{pairs[name]}" for name in sorted(pairs))
    signature = base64.b64encode(hmac.digest(b"token", signed.encode(), "sha1")).decode()
    return body, {"X-Twilio-Signature": signature}


def _ses(body: bytes, path: str) -> tuple[bytes, Mapping[str, str]]:
    """Amazon signs whatever is published: the bytes are the message."""
    said = {"Type": "Notification", "MessageId": "m", "TopicArn": TOPIC, "Timestamp": "2026-11-20T09:00:00.000Z"}
    said["Message"] = body.decode("utf-8", "replace")
    content = "".join(f"{name}\n{said[name]}\n" for name in sorted(said)).encode()
    signature = base64.b64encode(RSA_KEY.sign(content, padding.PKCS1v15(), hashes.SHA256())).decode()
    signed = {"Signature": signature, "SignatureVersion": "2", "SigningCertURL": CERTIFICATE}
    return json.dumps(said | signed).encode(), {}


def _sendgrid(body: bytes, path: str) -> tuple[bytes, Mapping[str, str]]:
    signature = base64.b64encode(EC_KEY.sign(b"1732000000" + body, ec.ECDSA(hashes.SHA256()))).decode()
    name = "X-Twilio-Email-Event-Webhook"
    return body, {f"{name}-Signature": signature, f"{name}-Timestamp": "1732000000"}


def _postmark(body: bytes, path: str) -> tuple[bytes, Mapping[str, str]]:
    return body, {"Authorization": f"Basic {base64.b64encode(b'us:secret').decode()}"}


def _mailgun(body: bytes, path: str) -> tuple[bytes, Mapping[str, str]]:
    """Mailgun signs a token that stands in the body itself."""
    return body, {}


_ID = "00000000-0000-0000-0000-000000000007"
_TOKEN = hmac.new(b"signs", b"1732000000tok", hashlib.sha256).hexdigest()
_SENT = {"timestamp": 1732000000, "email": "a@example.com", "sg_message_id": "x", "chimeway_delivery": _ID}
PROVIDERS: Mapping[str, Sender] = {
    "twilio": Sender(
        _twilio,
        [b"MessageSid=SM1&MessageStatus=delivered", b"MessageSid=SM1&MessageStatus=failed&ErrorCode=30003"],
        {"account_sid": "AC1", "from": "+15550001111"},
        {"auth_token": "token"},
        "application/x-www-form-urlencoded",
    ),
    "ses": Sender(
        _ses,
        [
            {"eventType": "Delivery", "mail": {"messageId": "ses-1", "tags": {"chimeway_delivery": [_ID]}}},
            {"eventType": "Bounce", "bounce": {"bounceType": "Permanent"}, "mail": {"messageId": "s", "tags": {}}},
        ],
        {"from": "us@example.com", "region": "eu-west-1", "topic": TOPIC},
        {"access_key_id": "k", "secret_access_key": "s"},
        "text/plain; charset=UTF-8",
    ),
    "sendgrid": Sender(
        _sendgrid,
        [[_SENT | {"event": word, "sg_event_id": "e1"}] for word in ("delivered", "bounce")],
        {"from": "us@example.com"},
        {"api_key": "k", "webhook_key": PUBLIC},
    ),
    "postmark": Sender(
        _postmark,
        [
            {
                "RecordType": "Delivery",
                "MessageID": "pm-1",
                "Metadata": {"chimeway_delivery": _ID},
                "Recipient": "a@b.c",
            },
            {"RecordType": "Bounce", "Type": "HardBounce", "MessageID": "pm-1", "Metadata": {}, "Email": "a@b.c"},
        ],
        {"from": "us@example.com"},
        {"server_token": "k", "webhook_secret": "us:secret"},
    ),
    "mailgun": Sender(
        _mailgun,
        [
            {
                "signature": {"timestamp": "1732000000", "token": "tok", "signature": _TOKEN},
                "event-data": {
                    "event": "failed",
                    "id": "e1",
                    "timestamp": 1732000000.0,
                    "severity": "permanent",
                    "recipient": "a@example.com",
                    "message": {"headers": {"message-id": "mg-1"}},
                    "user-variables": {"chimeway_delivery": _ID},
                    "delivery-status": {"code": 550},
                },
            }
        ],
        {"from": "us@example.com", "domain": "mg.example.com"},
        {"api_key": "k", "webhook_signing_key": "signs"},
    ),
}
