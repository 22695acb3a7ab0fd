"""Standard Webhooks (https://www.standardwebhooks.com): id, time and body signed; several signatures in one header."""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime

from signals_app.verification.base import (
    Rejection,
    any_equal,
    key_of_whsec,
    new_whsec,
    raw,
    signatures,
    timestamp_fault,
)


class StandardWebhooks:
    """`webhook-id`, `webhook-timestamp`, and `webhook-signature: v1,<base64> v1,<base64>`."""

    default_external_id = "header:webhook-id"

    def verify(
        self, *, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Rejection | None:
        """None if a secret signed `<id>.<timestamp>.<body>`, else the part that failed."""
        message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not message_id:
            return Rejection("webhook-id", "missing")
        if wrong := timestamp_fault(timestamp, now):
            return Rejection("webhook-timestamp", wrong)
        header = headers.get("webhook-signature", "")
        presented = [raw(part.removeprefix("v1,")) for part in header.split() if part.startswith("v1,")]
        if not presented:
            return Rejection("webhook-signature", "no v1 signature" if header else "missing")
        keys = [key for secret in secrets if (key := key_of_whsec(secret))]
        content = b".".join([raw(message_id), raw(timestamp), body])
        expected = [base64.b64encode(signature) for signature in signatures(keys, content)]
        return None if any_equal(expected, presented) else Rejection("webhook-signature", "no signature matches")

    def is_secret(self, secret: str) -> bool:
        """`whsec_` and at least 16 bytes in base64; the prefix may be left out."""
        return key_of_whsec(secret) is not None

    def new_secret(self) -> str:
        """A fresh `whsec_` secret."""
        return new_whsec()
