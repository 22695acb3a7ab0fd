"""GitHub (https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries): the body signed, no time."""

import secrets as randomness
from collections.abc import Mapping, Sequence
from datetime import datetime

from signals_app.verification.base import Rejection, any_equal, is_plain_secret, raw, signatures


class GitHub:
    """`X-Hub-Signature-256: sha256=<hex>`. Replays are caught by the id of the delivery alone."""

    default_external_id = "header:X-GitHub-Delivery"

    def verify(
        self, *, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Rejection | None:
        """None if a secret signed the body, else the part that failed."""
        header = headers.get("X-Hub-Signature-256", "")
        if not header.startswith("sha256="):
            return Rejection("X-Hub-Signature-256", "no sha256 signature" if header else "missing")
        keys = [secret.encode() for secret in secrets]
        expected = [signature.hex().encode() for signature in signatures(keys, body)]
        presented = [raw(header.removeprefix("sha256="))]
        return None if any_equal(expected, presented) else Rejection("X-Hub-Signature-256", "no signature matches")

    def is_secret(self, secret: str) -> bool:
        """16 to 256 visible ASCII characters, used as they stand."""
        return is_plain_secret(secret)

    def new_secret(self) -> str:
        """A fresh secret."""
        return randomness.token_urlsafe(32)
