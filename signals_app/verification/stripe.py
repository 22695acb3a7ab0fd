"""Stripe (https://docs.stripe.com/webhooks#verify-manually): time and body signed; several signatures in one header."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from signals_app.verification.base import (
    Rejection,
    any_equal,
    is_plain_secret,
    new_whsec,
    raw,
    signatures,
    timestamp_fault,
)


class Stripe:
    """`Stripe-Signature: t=<seconds>,v1=<hex>,v1=<hex>`; the secret is used as it stands, `whsec_` and all."""

    default_external_id = "id"

    def verify(
        self, *, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Rejection | None:
        """None if a secret signed `<t>.<body>`, else the part that failed."""
        header = headers.get("Stripe-Signature", "")
        if not header:
            return Rejection("Stripe-Signature", "missing")
        parts = [part.strip().partition("=") for part in header.split(",")]
        times = [value for name, _, value in parts if name == "t"]
        if len(times) != 1:
            return Rejection("Stripe-Signature t", "repeated" if times else "missing")
        if wrong := timestamp_fault(times[0], now):
            return Rejection("Stripe-Signature t", wrong)
        presented = [raw(value) for name, _, value in parts if name == "v1"]
        if not presented:
            return Rejection("Stripe-Signature v1", "no v1 signature")
        keys = [secret.encode() for secret in secrets]
        expected = [signature.hex().encode() for signature in signatures(keys, raw(times[0]) + b"." + body)]
        return None if any_equal(expected, presented) else Rejection("Stripe-Signature v1", "no signature matches")

    def is_secret(self, secret: str) -> bool:
        """16 to 256 visible ASCII characters, used as they stand."""
        return is_plain_secret(secret)

    def new_secret(self) -> str:
        """A fresh `whsec_` secret."""
        return new_whsec()
