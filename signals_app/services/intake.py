"""Intake: accept signals in a few statements, however many there are. It stores and nudges; the engine routes.

Order of writing: payloads, signals, keys; each statement meets its rows in one global order, so that two requests with
the same signals in opposite order wait for each other instead of deadlocking.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from django.db import connection

from chimeway_py.errors import Conflict
from chimeway_py.nudges import nudge_after_commit
from signals_app.services.forgetting import forget_payloads
from signals_app.services.keys import keys_of
from signals_app.services.new_signal import CheckedSignal, NewSignal, check_signals
from signals_app.services.payloads import PayloadWriting, address_of, canonical
from tenants.ids import new_public_id
from tenants.limits.board import limits_of
from tenants.limits.kinds import LimitKind
from tenants.limits.taking import take
from tenants.scope import at_once, tenant_scope
from tenants.sql import Question, Rows, arrays, execute, fetch, fetch_each, given
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
SELECT %s, now.at, id, {", ".join(_SIGNAL).replace("occurred_at", "coalesce(occurred_at, now.at)")}, 0, 0, '', '{{}}', 0
  FROM (SELECT clock_timestamp() AS at OFFSET 0) now CROSS JOIN
       (SELECT nextval('signals_app_signal_id_seq') AS id, u.* FROM {given(_SIGNAL, "position")} ORDER BY position) n
 ORDER BY source, external_id
ON CONFLICT (tenant_id, source, external_id) DO NOTHING
RETURNING id, public_id, received_at
"""  # noqa: S608  column names of our own
# What they can be found by: written for those that were new, which alone are there under these public ids.
_KEY = {"public_id": "uuid", "name": "text", "key": "text"}
_WRITE_KEYS = f"""
INSERT INTO signals_app_signalkey (tenant_id, signal_id, name, key, received_at)
SELECT %s, s.id, u.name, u.key, s.received_at FROM {given(_KEY)} CROSS JOIN LATERAL (
    SELECT id, received_at FROM signals_app_signal WHERE tenant_id = %s AND public_id = u.public_id OFFSET 0) s
"""  # noqa: S608
_MET = """
SELECT s.id, s.public_id, s.source, s.external_id, s.body_digest, s.received_at
FROM signals_app_signal s JOIN unnest(%s::text[], %s::text[]) AS given (source, external_id) USING (source, external_id)
WHERE s.tenant_id = %s ORDER BY s.id FOR NO KEY UPDATE OF s
"""
_COUNT = """
UPDATE signals_app_signal s SET duplicate_count = s.duplicate_count + given.times, last_duplicate_at = clock_timestamp()
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
    intake = Intake(tenant_id, signals, counted=counted)
    if intake.is_sure and not connection.in_atomic_block:
        return intake.accept(at_once(tenant_id, *intake.questions))
    with tenant_scope(tenant_id, *intake.questions) as scope:
        return intake.accept(scope.answers)


class Intake:
    """Signals on their way in: checked, and ready to be written as soon as a transaction asks its `questions`."""

    def __init__(self, tenant_id: int, signals: Sequence[NewSignal], *, counted: bool = True) -> None:
        self._tenant_id = tenant_id
        self._checked = _keyed(tenant_id, check_signals(signals))
        self._first: dict[Name, CheckedSignal] = {}
        for signal in self._checked:
            self._first.setdefault((signal.source, signal.external_id), signal)
        self._limited = bool(counted and self._checked and limits_of(tenant_id))
        #: Nothing of theirs can be there already, so that asking the questions is all that has to be done.
        self.is_sure = bool(signals) and not self._limited and not any(one.external_id or one.data for one in signals)
        self._public_ids = {new_public_id(): name for name in self._first}
        self._payloads = PayloadWriting(tenant_id, (one.payload for one in self._first.values() if one.payload))
        self._writing = [*self._payloads.questions, *self._asking_to_write()]
        #: To be asked first in the transaction. None of a limited tenant: whoever waits for a limit holds nothing else.
        self.questions: list[Question] = [] if self._limited else self._writing

    def accept(self, answers: Sequence[Rows]) -> list[Receipt]:
        """The receipts, in the transaction that has asked the questions. See `accept_signals`."""
        if not self._checked:
            return []
        if self._limited:
            _take(self._tenant_id, self._checked)
            answers = fetch_each(*self._writing)
        written = answers[len(self._payloads.questions)]
        self._payloads.hold(answers[: len(self._payloads.questions)])
        stored = self._stored(written)
        fresh = set(stored)
        met = _meet(self._tenant_id, [name for name in self._first if name not in fresh])
        receipts = _receipts(self._checked, stored | met, fresh)
        _count_duplicates(self._tenant_id, self._checked, stored | met, fresh)
        _forget_repeated(self._tenant_id, [self._first[name] for name in met])
        if fresh:
            nudge_after_commit("engine", self._tenant_id)
        return receipts

    def _asking_to_write(self) -> list[Question]:
        """The statements that insert what is new: signals, and their keys if they have any."""
        signals = list(zip(self._public_ids, self._first.values(), strict=True))
        rows = [_row(public_id, signal, self._payloads.addresses) for public_id, signal in signals]
        keys = [
            (public_id, signal.name, key)
            for public_id, signal in signals
            for key in keys_of(signal.subject, signal.correlation)
        ]
        writing: list[Question] = [(_WRITE, [self._tenant_id, *arrays(rows, _SIGNAL)])] if rows else []
        return writing + ([(_WRITE_KEYS, [self._tenant_id, *arrays(keys, _KEY), self._tenant_id])] if keys else [])

    def _stored(self, written: Rows) -> dict[Name, _Stored]:
        names = [(self._public_ids[row[1]], row) for row in written]
        return {name: _Stored(row[0], row[1], self._first[name].body_digest, row[2]) for name, row in names}


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


def _row(public_id: uuid.UUID, signal: CheckedSignal, addresses: Mapping[str, bytes]) -> tuple[Any, ...]:
    name = signal.source, signal.external_id
    said = signal.name, signal.subject, canonical(signal.correlation), addresses.get(signal.payload)
    return (public_id, *name, *said, signal.body_digest, signal.occurred_at)


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
    tenant_id: int, checked: Sequence[CheckedSignal], stored: Mapping[Name, _Stored], fresh: set[Name]
) -> None:
    times: dict[Name, int] = {}
    for signal in checked:
        name = signal.source, signal.external_id
        times[name] = times.get(name, -1 if name in fresh else 0) + 1
    repeated = {stored[name].signal_id: count for name, count in times.items() if count}
    if repeated:
        execute(_COUNT, [list(repeated), list(repeated.values()), tenant_id])
