"""Receive a webhook: verify the raw bytes, read them, map them to a signal, accept it. What is refused is counted."""

import uuid
from collections.abc import Mapping
from datetime import datetime

from django.db.models import F

from chimeway_py.api.json_gate import read_json
from chimeway_py.api.parsers import check_charset
from chimeway_py.errors import ChimewayError, Invalid, NotFound, fault
from signals_app.mapping import map_signal, place_of
from signals_app.models import SignalSource
from signals_app.services.intake import Receipt
from signals_app.services.known_sources import known_source, tenant_of_source
from signals_app.services.sharing import accept_shared
from signals_app.services.sources import live_secrets
from signals_app.verification import Rejection, scheme_named, verify
from tenants.limits.errors import BeyondLimit, LimitReached
from tenants.limits.taking import taking_as
from tenants.scope import tenant_scope


class BadSignature(ChimewayError):
    """The signature is not valid."""

    code = "bad_signature"
    status = 401


def receive_webhook(*, source_public_id: uuid.UUID, headers: Mapping[str, str], body: bytes) -> Receipt:
    """The receipt of the signal that a webhook says, committed. A replay gets the receipt of the first.

    Raises `NotFound` (no such source, or disabled), `BadSignature` (which part failed is for operators only: it is kept
    on the source), `Invalid` naming paths of the sender's own body, `SignalConflict`, and `LimitReached` or
    `BeyondLimit`: only a webhook that proves itself uses up anything.
    """
    tenant_id = tenant_of_source(source_public_id)
    if tenant_id is None:
        raise NotFound
    try:
        source, now = known_source(tenant_id, source_public_id)
        with taking_as(f"source {source.key}"):
            return _accept(source, headers, body, now)
    except (LimitReached, BeyondLimit):
        raise  # nothing is wrong with the webhook; a refusal for want of room writes nothing
    except ChimewayError as error:  # its transaction is undone; the count gets one of its own
        _count(tenant_id, source_public_id, error)
        raise


class _Unverified(BadSignature):
    """A bad signature that remembers, inside this module only, which part failed."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(BadSignature().message)
        self.rejection = rejection


def _accept(source: SignalSource, headers: Mapping[str, str], body: bytes, now: datetime) -> Receipt:
    if not source.enabled:
        raise NotFound
    rejection = verify(scheme=source.scheme, secrets=live_secrets(source, now), headers=headers, body=body, now=now)
    if rejection:
        raise _Unverified(rejection)
    check_charset(headers.get("Content-Type", ""))
    signal = map_signal(
        mapping=source.mapping,
        name_map=source.name_map,
        source=source.key,
        default_external_id=scheme_named(source.scheme).default_external_id,
        headers=headers,
        body=read_json(body),
    )
    try:
        return accept_shared(tenant_id=source.tenant_id, signal=signal)
    except Invalid as error:
        raise _in_body(source, error) from error


def _in_body(source: SignalSource, error: Invalid) -> Invalid:
    """Faults of the signal as faults of the sender's body: each path is where the part came from."""
    found = [] if isinstance(error.detail, Mapping) else error.detail
    paths = [place_of(source.mapping, entry["path"].removeprefix("/0")) for entry in found]
    return Invalid(
        error.message,
        [fault(path, entry["code"], entry["message"]) for path, entry in zip(paths, found, strict=True)],
    )


def _count(tenant_id: int, source_public_id: uuid.UUID, error: ChimewayError) -> None:
    """Keep on the source what was refused last: part and reason, never a value."""
    match error:
        case _Unverified(rejection=rejection):
            part, reason = rejection.part, rejection.reason
        case NotFound():
            part, reason = "source", "disabled"
        case Invalid(detail=[first, *_]):
            part, reason = "body", f"{first['code']} at {first['path'] or '/'}"
        case _:
            part, reason = "signal", error.code
    with tenant_scope(tenant_id) as scope:
        SignalSource.objects.filter(tenant_id=tenant_id, public_id=source_public_id).update(
            rejected_count=F("rejected_count") + 1,
            last_rejected_at=scope.now,
            last_rejected_part=part[:50],
            last_rejected_reason=reason[:200],
        )
