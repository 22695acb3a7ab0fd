"""Requests signed as Standard Webhooks says (https://www.standardwebhooks.com)."""

import hashlib
from collections.abc import Iterable
from datetime import datetime

from standardwebhooks import Webhook

from chimeway_py import __version__

USER_AGENT = f"chimeway_py/{__version__}"


def webhook_id(key: str) -> str:
    """The `webhook-id` that belongs to an effect key: receivers drop what they have seen under it."""
    return f"msg_{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def signed_headers(secrets: Iterable[str], identity: str, body: str, now: datetime) -> dict[str, str]:
    """Headers of one try at `body` under the id `identity`.

    Every secret (`whsec_…`) signs, so that a receiver verifies with whichever it has.
    """
    return {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": identity,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(identity, now, body) for secret in secrets),
    }
