"""Intake: accept signals in a few statements, however many there are. It stores and nudges; the engine routes.

Order of writing: payloads, signals, keys; each statement meets its rows in one global order, so that two requests with
the same signals in opposite order wait for each other instead of deadlocking.
"""

import uuid
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from chimeway_py.errors import Conflict
from chimeway_py.nudges import nudge_after_commit
from signals_app.services.forgetting import forget_payloads
from signals_app.services.keys import keys_of, write_keys
from signals_app.services.new_signal import CheckedSignal, NewSignal, check_signals
from signals_app.services.payloads import address_of, canonical, send_payloads
from tenants.ids import new_public_id
from tenants.limits.board import limits_of
from tenants.limits.kinds import LimitKind
from tenants.limits.taking import take
from tenants.scope import tenant_scope, with_commit
from tenants.sql import arrays, ask, execute, fetch, given, pipelined
from tenants.vault import vault_of

# Ids follow the order of the batch (routing takes signals by id); rows are inserted in the order of the unique key.
_SIGNAL = {
    "public_id": "uuid",
    "source": "text",
    "external_id": "text",
    "name": "text",
    "subject": "text",
    "correlation": "jsonb",
    "payload_sha": "bytea",
    "body_digest": "bytea",
    "occurred_at": "timestamptz",
}
_WRITE = f"""
INSERT INTO signals_app_signal (tenant_id, received_at, id, {", ".join(_SIGNAL)}, route_failures, route_cursor,
    verdict_reason, verdict_context, duplicate_count)
SELECT %s, %s, id, {", ".join(_SIGNAL)}, 0, 0, '', '{{}}', 0
  FROM (SELECT nextval('signals_app_signal_id_seq') AS id, u.* FROM {given(_SIGNAL, "position")} ORDER BY position) n
 ORDER BY source, external_id
ON CONFLICT (tenant_id, source, external_id) DO NOTHING
RETURNING id, public_id
"""  # noqa: S608  column names of our own
_MET = """
SELECT s.id, s.public_id, s.source, s.external_id, s.body_digest, s.received_at
FROM signals_app_signal s JOIN unnest(%s::text[], %s::text[]) AS given (source, external_id) USING (source, external_id)
WHERE s.tenant_id = %s ORDER BY s.id FOR NO KEY UPDATE OF s
"""
_COUNT = """
UPDATE signals_app_signal s SET duplicate_count = s.duplicate_count + given.times, last_duplicate_at = %s
FROM unnest(%s::bigint[], %s::int[]) AS given (id, times) WHERE s.tenant_id = %s AND s.id = given.id
"""

Name = tuple[str, str]  # source and external id: what makes a signal the same signal


class SignalConflict(Conflict):
    """Another signal with this id and another body was accepted before. Nothing of this request was written."""

    code = "signal_conflict"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to one signal. A duplicate gets the receipt of the first, with its own status."""

    public_id: uuid.UUID
    external_id: str
    status: Literal["accepted", "duplicate"]
    received_at: datetime


@dataclass(frozen=True, slots=True)
class _Stored:
    signal_id: int
    public_id: uuid.UUID
    body_digest: bytes
    received_at: datetime


def accept_signals(*, tenant_id: int, signals: Sequence[NewSignal], counted: bool = True) -> list[Receipt]:
    """Store signals, all or none, and return a receipt for each in order. Joins the caller's transaction.

    They count towards the tenant's limits, unless the service itself says that something happened. Raises `Invalid`
    (paths start with the index of the signal), `SignalConflict` (detail: index and external id), `LimitReached` and
    `BeyondLimit`.
    """
    with tenant_scope(tenant_id) as scope:
        return accept_here(tenant_id=tenant_id, signals=signals, now=scope.now, counted=counted)


def accept_here(*, tenant_id: int, signals: Sequence[NewSignal], now: datetime, counted: bool = True) -> list[Receipt]:
    """As `accept_signals`, as the last thing that is done in the caller's scope, which was entered at `now`."""
    asked = check_signals(signals)
    if not asked:
        return []
    if counted and limits_of(tenant_id):
        _take(tenant_id, asked)
    checked = _keyed(tenant_id, asked)
    first: dict[Name, CheckedSignal] = {}
    for signal in checked:
        first.setdefault((signal.source, signal.external_id), signal)
    stored = _write(tenant_id, first, now)
    fresh = set(stored)
    met = _meet(tenant_id, [name for name in first if name not in fresh])
    receipts = _receipts(checked, stored | met, fresh)
    _count_duplicates(tenant_id, checked, stored | met, fresh, now)
    _forget_repeated(tenant_id, [first[name] for name in met])
    if fresh:
        nudge_after_commit("engine", tenant_id)
    with with_commit():
        write_keys(tenant_id=tenant_id, received_at=now, rows=_keys(first, stored))
    return receipts


def _take(tenant_id: int, signals: Sequence[CheckedSignal]) -> None:
    """Before anything else is locked: whoever waits for a limit holds nothing that others wait for."""
    count, size = len(signals), sum(len(signal.payload.encode()) for signal in signals)
    counts = {LimitKind.SIGNALS_PER_MINUTE: count, LimitKind.SIGNALS_PER_DAY: count}
    take(tenant_id, counts | {LimitKind.PAYLOAD_BYTES_PER_DAY: size})


def _keyed(tenant_id: int, signals: Sequence[CheckedSignal]) -> list[CheckedSignal]:
    """The signals with digests of their bodies that may be stored: nobody finds a short body by trying."""
    vault = vault_of(tenant_id)
    return [replace(signal, body_digest=vault.keyed("signal", signal.body_digest)) for signal in signals]


def _forget_repeated(tenant_id: int, signals: Sequence[CheckedSignal]) -> None:
    """Drop what duplicates carried, unless the first still names it: it may have been erased meanwhile."""
    vault = vault_of(tenant_id)
    forget_payloads(tenant_id=tenant_id, addresses=[address_of(vault, one.payload) for one in signals if one.payload])


def _write(tenant_id: int, first: Mapping[Name, CheckedSignal], now: datetime) -> dict[Name, _Stored]:
    """Insert what is new, with its payloads."""
    signals = list(first.values())
    public_ids = {new_public_id(): name for name in first}
    texts = [signal.payload for signal in signals if signal.payload]
    with pipelined() if texts else nullcontext():
        addresses, hold_payloads = send_payloads(tenant_id=tenant_id, texts=texts)
        given_rows = [_row(*one, addresses, now) for one in zip(public_ids, signals, strict=True)]
        stored = ask(_WRITE, [tenant_id, now, *arrays(given_rows, _SIGNAL)])
    hold_payloads()
    written = {public_ids[public_id]: (signal_id, public_id) for signal_id, public_id in stored()}
    return {name: _Stored(*ids, first[name].body_digest, now) for name, ids in written.items()}


def _keys(first: Mapping[Name, CheckedSignal], stored: Mapping[Name, _Stored]) -> list[tuple[int, str, str]]:
    """What the new signals can be found by."""
    return [
        (row.signal_id, first[name].name, key)
        for name, row in stored.items()
        for key in keys_of(first[name].subject, first[name].correlation)
    ]


def _row(public_id: uuid.UUID, signal: CheckedSignal, addresses: Mapping[str, bytes], now: datetime) -> tuple[Any, ...]:
    name = signal.source, signal.external_id
    said = signal.name, signal.subject, canonical(signal.correlation), addresses.get(signal.payload)
    return (public_id, *name, *said, signal.body_digest, signal.occurred_at or now)


def _meet(tenant_id: int, names: Sequence[Name]) -> dict[Name, _Stored]:
    """The signals accepted before under these names, locked in order of id. Names are kept for ever: all are there."""
    if not names:
        return {}
    met = fetch(_MET, [[source for source, _ in names], [given for _, given in names], tenant_id])
    return {
        (source, external_id): _Stored(signal_id, public_id, bytes(body_digest), received_at)
        for signal_id, public_id, source, external_id, body_digest, received_at in met
    }


def _receipts(checked: Sequence[CheckedSignal], stored: Mapping[Name, _Stored], fresh: set[Name]) -> list[Receipt]:
    receipts, conflicts, seen = [], [], set()
    for index, signal in enumerate(checked):
        name = signal.source, signal.external_id
        row = stored[name]
        if row.body_digest != signal.body_digest:
            conflicts.append({"index": index, "external_id": signal.external_id})
        accepted = name in fresh and name not in seen
        seen.add(name)
        receipts.append(
            Receipt(row.public_id, signal.external_id, "accepted" if accepted else "duplicate", row.received_at)
        )
    if conflicts:
        raise SignalConflict("A signal with this id and another body was accepted before.", conflicts)
    return receipts


def _count_duplicates(
    tenant_id: int, checked: Sequence[CheckedSignal], stored: Mapping[Name, _Stored], fresh: set[Name], now: datetime
) -> None:
    times: dict[Name, int] = {}
    for signal in checked:
        name = signal.source, signal.external_id
        times[name] = times.get(name, -1 if name in fresh else 0) + 1
    repeated = {stored[name].signal_id: count for name, count in times.items() if count}
    if repeated:
        execute(_COUNT, [now, list(repeated), list(repeated.values()), tenant_id])
