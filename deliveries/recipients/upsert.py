"""Storing recipients: many at once, each made or changed, in one order so that nobody deadlocks."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chimeway_py.errors import Invalid
from deliveries.models import Recipient
from deliveries.models.recipient import Person
from deliveries.recipients.forms import digests_of_all
from deliveries.recipients.reading import LARGEST, recipient_faults, subject_faults
from deliveries.timing.releasing import RECIPIENT, judge_theirs_anew
from tenants.ids import new_public_id
from tenants.scope import tenant_scope
from tenants.sql import arrays, execute, fetch, insert, update

Said = Mapping[str, Any]
"""{addresses, zone, locale, attributes, quiet_hours}, each of which may be missing or null."""

_NEW = {"public_id": "uuid", "external_id": "text", "created_at": "timestamptz", "updated_at": "timestamptz"}
_MAKE = insert(
    "deliveries_recipient",
    _NEW,
    "ORDER BY u.external_id ON CONFLICT (tenant_id, external_id) DO NOTHING RETURNING external_id",
)


_CHANGED = {"id": "bigint", "zone": "text", "locale": "text", "quiet_hours": "jsonb", "sealed": "bytea"}
_CHANGED |= {"updated_at": "timestamptz", "address_digests": "jsonb"}
_CHANGE = update("deliveries_recipient", _CHANGED)


@dataclass(frozen=True, slots=True)
class Stored:
    """A recipient as it is now, and whether this call made it."""

    recipient: Recipient
    created: bool


def put_recipient(*, tenant_id: int, external_id: str, said: Said) -> Stored:
    """The recipient of that id, who is now what `said` says and nothing else. Raises `Invalid` with every fault."""
    faults = [*subject_faults(external_id, "/id"), *recipient_faults(said)]
    if faults:
        raise Invalid("The recipient is not valid.", faults)
    with tenant_scope(tenant_id) as scope:
        return store_recipients(tenant_id, {external_id: said}, scope.now, replace=True)[0]


def merge_recipients(*, tenant_id: int, said: Sequence[tuple[str, Said]]) -> list[Stored]:
    """Make or change recipients, all or none: what is left out keeps its value, null removes one.

    Addresses and attributes are merged name by name. Of two that name the same recipient the later counts last, and
    only the first can have made them.
    Raises `Invalid`; paths start with the index.
    """
    faults = [
        found
        for index, (external_id, one) in enumerate(said)
        for found in [*subject_faults(external_id, f"/{index}/id"), *recipient_faults(one, f"/{index}")]
    ]
    if faults:
        raise Invalid("The recipients are not valid.", faults)
    with tenant_scope(tenant_id) as scope:
        rounds = [
            {one.recipient.external_id: one for one in store_recipients(tenant_id, round_, scope.now)}
            for round_ in _rounds(said)
        ]
        met = Counter[str]()
        stored = []
        for external_id, _ in said:
            stored.append(rounds[met[external_id]][external_id])
            met[external_id] += 1
        return stored


def store_recipients(tenant_id: int, said: Mapping[str, Said], now: datetime, *, replace: bool = False) -> list[Stored]:
    """Write checked recipients inside the caller's scope. Rows are made and locked in order of their ids."""
    ids = sorted(said)
    fresh = [(new_public_id(), external_id, now, now) for external_id in ids]
    made = {external_id for (external_id,) in fetch(_MAKE, [tenant_id, *arrays(fresh, _NEW)])}
    mine = Recipient.objects.filter(tenant_id=tenant_id, external_id__in=ids).order_by("external_id")
    rows = list(mine.select_for_update(no_key=True))
    hours = {row.external_id: _hours(row) for row in rows if row.external_id not in made}
    changed = [row for row in rows if _change(row, said[row.external_id], replace)]
    for row in changed:
        row.updated_at = now
    execute(_CHANGE, [tenant_id, *arrays(map(_columns, changed), _CHANGED)])
    moved = [row.external_id for row in changed if hours.get(row.external_id, _hours(row)) != _hours(row)]
    judge_theirs_anew(tenant_id=tenant_id, changed=RECIPIENT, now=now, subjects=moved)
    return [Stored(row, row.external_id in made) for row in rows]


def _hours(row: Recipient) -> tuple[str, Any]:
    """What of them decides when messages may go out."""
    return row.zone, row.quiet_hours


def _columns(row: Recipient) -> tuple[object, ...]:
    """A row of `_CHANGED`."""
    hours = None if row.quiet_hours is None else json.dumps(row.quiet_hours)
    return row.pk, row.zone, row.locale, hours, row.sealed, row.updated_at, json.dumps(row.address_digests)


def _change(row: Recipient, said: Said, replace: bool) -> bool:
    """Let the row say what is said; False when it does already. Sealing the same text again would write it anew."""
    person: Person = {"addresses": {}, "attributes": {}} if replace else row.person
    merged = Person(
        addresses=_merged(person["addresses"], said, "addresses"),
        attributes=_merged(person["attributes"], said, "attributes"),
    )
    zone, locale = (_text(row, said, name, replace) for name in ("zone", "locale"))
    quiet_hours = said.get("quiet_hours") if replace or "quiet_hours" in said else row.quiet_hours
    if (merged, zone, locale, quiet_hours) == (row.person, row.zone, row.locale, row.quiet_hours):
        return False
    row.zone, row.locale, row.quiet_hours = zone, locale, quiet_hours
    if merged != row.person:
        _check_size(merged)
        row.seal(merged)
        row.address_digests = digests_of_all(row.tenant_id, merged["addresses"])
    return True


def _merged(before: Mapping[str, Any], said: Said, name: str) -> dict[str, Any]:
    if said.get(name) is None:
        return {} if name in said else dict(before)
    return {key: value for key, value in {**before, **said[name]}.items() if value is not None}


def _text(row: Recipient, said: Said, name: str, replace: bool) -> str:
    before = "" if replace else str(getattr(row, name))
    return (said[name] or "") if name in said else before


def _check_size(person: Person) -> None:
    """Merging many small things may make a large one."""
    if len(json.dumps(person, ensure_ascii=False)) > 4 * LARGEST:
        raise Invalid("The recipient is too large.", [])


def _rounds(said: Sequence[tuple[str, Said]]) -> list[dict[str, Said]]:
    """The same in as few groups as can be, in each of which nobody is named twice."""
    rounds: list[dict[str, Said]] = []
    for external_id, one in said:
        free = next((round_ for round_ in rounds if external_id not in round_), None)
        if free is None:
            rounds.append(free := {})
        free[external_id] = one
    return rounds
