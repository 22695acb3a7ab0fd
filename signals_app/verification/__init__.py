"""Signatures of webhooks: one small module per scheme, verified over the raw bytes before anything is parsed."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from signals_app.models.source import Scheme
from signals_app.verification import github, standard_webhooks, stripe
from signals_app.verification.base import Rejection, SignatureScheme

_SCHEMES: dict[str, SignatureScheme] = {
    Scheme.STANDARD_WEBHOOKS: standard_webhooks.StandardWebhooks(),
    Scheme.GITHUB: github.GitHub(),
    Scheme.STRIPE: stripe.Stripe(),
}


def scheme_named(name: str) -> SignatureScheme:
    """The scheme behind a word of `Scheme`."""
    return _SCHEMES[name]


def verify(
    *, scheme: str, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime
) -> Rejection | None:
    """None if one of the live secrets signed these bytes; else which part failed. Never raises for what was sent."""
    if not secrets:
        return Rejection("secret", "no live secret")
    return scheme_named(scheme).verify(secrets=secrets, headers=headers, body=body, now=now)


__all__ = ["Rejection", "SignatureScheme", "scheme_named", "verify"]
