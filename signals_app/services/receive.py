"""Receive a webhook: verify the raw bytes, read them, map them to a signal, accept it. What is refused is counted."""

import uuid
from collections.abc import Mapping
from datetime import datetime

from django.db.models import F

from chimeway_py.api.json_gate import read_json
from chimeway_py.errors import ChimewayError, Invalid, NotFound, fault
from signals_app.mapping import map_signal, place_of
from signals_app.models import SignalSource
from signals_app.services.intake import Receipt, accept_here
from signals_app.services.sources import live_secrets
from signals_app.verification import Rejection, scheme_named, verify
from tenants.limits.errors import BeyondLimit, LimitReached
from tenants.limits.taking import taking_as
from tenants.scope import tenant_scope
from tenants.sql import Rows, fetch

_READ = ("public_id", "key", "scheme", "secrets", "mapping", "name_map", "enabled")
_SOURCE = f"SELECT {', '.join(_READ)} FROM signals_app_signalsource WHERE tenant_id = %s AND public_id = %s"  # noqa: S608
_MOST_TENANTS = 10_000
_tenants: dict[uuid.UUID, int] = {}  # by the public id of the source


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
    tenant_id = _tenant_of(source_public_id)
    if tenant_id is None:
        raise NotFound
    try:
        with tenant_scope(tenant_id, (_SOURCE, [tenant_id, source_public_id])) as scope:
            source = _source(tenant_id, scope.answers[0])
            with taking_as(f"source {source.key}"):
                return _accept(source, headers, body, scope.now)
    except (LimitReached, BeyondLimit):
        raise  # nothing is wrong with the webhook; a refusal for want of room writes nothing
    except ChimewayError as error:  # its transaction is undone; the count gets one of its own
        _count(tenant_id, source_public_id, error)
        raise


def _source(tenant_id: int, rows: Rows) -> SignalSource:
    if not rows:
        raise NotFound
    return SignalSource(tenant_id=tenant_id, **dict(zip(_READ, rows[0], strict=True)))


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
    signal = map_signal(
        mapping=source.mapping,
        name_map=source.name_map,
        source=source.key,
        default_external_id=scheme_named(source.scheme).default_external_id,
        headers=headers,
        body=read_json(body),
    )
    try:
        return accept_here(tenant_id=source.tenant_id, signals=[signal], now=now)[0]
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


def _tenant_of(source_public_id: uuid.UUID) -> int | None:
    """Whose source it is. That never changes, so it is asked once per process."""
    if (known := _tenants.get(source_public_id)) is not None:
        return known
    ((tenant_id,),) = fetch("SELECT tenant_of_source(%s)", [source_public_id])
    if tenant_id is not None:
        if len(_tenants) >= _MOST_TENANTS:
            _tenants.clear()
        _tenants[source_public_id] = tenant_id
    return tenant_id  # type: ignore[no-any-return]
