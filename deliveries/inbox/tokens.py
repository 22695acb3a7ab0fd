"""Subscriber tokens: what a browser shows instead of an API key, for one inbox and some minutes.

A token names the key that it was made with and the moment it ends, and proves under the tenant's digest key that both
go with one subject. The subject itself is not in it: the address brings that. Nothing is stored. A token ends with its
time, with its key (revoked, expired, rotated away) and with its tenant (suspended), and may do no more than the key.
"""

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tenants.models.api_key import Scope
from tenants.services import Caller, Refusal, caller_by_prefix
from tenants.vault import vault_of

BEGINS = "cwi_"
SCOPES = frozenset({str(Scope.INBOX_READ), str(Scope.INBOX_WRITE)})
_PURPOSE = "inbox_token"
_TOKEN = re.compile(r"cwi_([a-z0-9]{12})_([0-9a-f]{8})_([A-Za-z0-9_-]{43})", re.ASCII)


@dataclass(frozen=True, slots=True)
class SubscriberToken:
    """A token, and when it ends."""

    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Subscriber(Caller):
    """Who speaks with a subscriber token: a caller that may use one inbox until a moment."""

    expires_at: datetime


def make_token(*, caller: Caller, subject: str, now: datetime, lifetime: timedelta) -> SubscriberToken:
    """A token for the inbox of a subject, which may do there what the key of `caller` may."""
    ends = int((now + lifetime).timestamp())
    proof = urlsafe_b64encode(_proof(caller.tenant_id, caller.prefix, ends, subject)).decode().rstrip("=")
    return SubscriberToken(f"{BEGINS}{caller.prefix}_{ends:08x}_{proof}", datetime.fromtimestamp(ends, UTC))


def find_subscriber(token: str, subject: str) -> Subscriber | Refusal:
    """Who shows this token at the inbox of this subject, or in one word why it opens nothing there."""
    parsed = _TOKEN.fullmatch(token)
    if parsed is None:
        return "unknown"
    prefix, ends, proof = parsed.groups()
    caller, now = caller_by_prefix(prefix)
    if not isinstance(caller, Caller):
        return caller
    shown = urlsafe_b64decode(proof + "=")
    if not hmac.compare_digest(shown, _proof(caller.tenant_id, prefix, int(ends, 16), subject)):
        return "unknown"
    expires_at = datetime.fromtimestamp(int(ends, 16), UTC)
    if expires_at <= now:
        return "expired"
    return Subscriber(caller.tenant_id, caller.key_id, prefix, caller.scopes & SCOPES, expires_at)


def still_open(caller: Caller) -> bool:
    """Whether what this caller began may go on: the key and its tenant live, the time of the token is not over."""
    found, now = caller_by_prefix(caller.prefix)
    is_over = isinstance(caller, Subscriber) and caller.expires_at <= now
    return isinstance(found, Caller) and Scope.INBOX_READ in found.scopes and not is_over


def _proof(tenant_id: int, prefix: str, ends: int, subject: str) -> bytes:
    return vault_of(tenant_id).digest(_PURPOSE, f"{prefix} {ends} {subject}")
