"""Senders: sign a body as each kind of upstream system does, by the published recipe and not by our own code."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime

from standardwebhooks import Webhook

Signer = Callable[[str, bytes, datetime], dict[str, str]]


def standard_webhooks(secret: str, body: bytes, at: datetime, message_id: str = "msg_1") -> dict[str, str]:
    """Headers as the reference library writes them."""
    signature = Webhook(secret).sign(message_id, at, body.decode())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }


def github(secret: str, body: bytes, at: datetime, message_id: str = "d-1") -> dict[str, str]:
    """Headers as GitHub sends them."""
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={signature}", "X-GitHub-Delivery": message_id, "X-GitHub-Event": "push"}


def stripe(secret: str, body: bytes, at: datetime) -> dict[str, str]:
    """Headers as Stripe sends them."""
    seconds = str(int(at.timestamp()))
    signature = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={seconds},v1={signature},v0={'0' * 64}"}


SIGNERS: dict[str, Signer] = {"standard_webhooks": standard_webhooks, "github": github, "stripe": stripe}


def whsec(seed: bytes) -> str:
    """A secret that every scheme takes."""
    return "whsec_" + base64.b64encode(hashlib.sha256(seed).digest()).decode()
