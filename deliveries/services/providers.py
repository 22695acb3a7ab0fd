"""Storing providers. What they are told in confidence goes in and never comes out."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator

from chimeway_py.errors import Invalid, NotFound, fault
from deliveries.models import Provider
from deliveries.providers.base import ProviderKind
from deliveries.providers.registry import provider_kinds
from deliveries.timing.releasing import PROVIDER, judge_held_anew
from tenants.scope import database_now, tenant_scope
from workflows.definitions.sentences import faults_of
from workflows.steps.base import Fault

KEY = re.compile(r"[a-z0-9_]{1,64}")
_OF_NAMES = frozenset({"required", "unknown_key"})
"""Faults that speak of names. All others may quote the value, and a credential is quoted nowhere."""
FARTHEST, MOST_PER, LONGEST_PER = 1000, 1_000_000, 86_400


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many messages in so many seconds."""

    count: int
    seconds: int = 1


def put_provider(
    *,
    tenant_id: int,
    key: str,
    kind: str,
    config: Mapping[str, Any] | None = None,
    credentials: Mapping[str, str] | None = None,
    position: int = 1,
    enabled: bool = True,
    rate: Rate | None = None,
) -> tuple[Provider, bool]:
    """The provider under this key, as it is asked to be, and whether it is new.

    Credentials replace all of those before; without any, those stay. Being stored anew it counts as well. Raises
    `Invalid` with every fault.
    """
    config = dict(config or {})
    with tenant_scope(tenant_id) as scope:
        found = Provider.objects.filter(tenant_id=tenant_id, key=key).select_for_update(no_key=True).first()
        known = found.credentials if found is not None and credentials is None and found.kind == kind else {}
        said = dict(known if credentials is None else credentials)
        faults = list(_faults(key, kind, found, config, said, position, rate))
        if faults:
            raise Invalid("The provider is not valid.", faults)
        mine = provider_kinds()[kind]
        row = found or Provider(tenant_id=tenant_id, key=key, created_at=scope.now)
        row.config, opened = mine.made(config, said)
        row.kind, row.channel = kind, mine.channel
        row.position, row.enabled = position, enabled
        row.rate_count, row.rate_seconds = (rate.count, rate.seconds) if rate else (None, 1)
        row.next_at, row.failures, row.unhealthy_until = None, 0, None
        row.seal(opened)
        row.updated_at = database_now()  # later than any turn that was taken before the row was locked
        row.save()
        if found is not None:
            judge_held_anew(tenant_id=tenant_id, changed=PROVIDER, now=scope.now, provider=key)
        return row, found is None


def delete_provider(*, tenant_id: int, key: str) -> None:
    """Forget a provider with its credentials. Messages that it took keep its name. Raises `NotFound`."""
    with tenant_scope(tenant_id) as scope:
        deleted, _ = Provider.objects.filter(tenant_id=tenant_id, key=key).delete()
        if not deleted:
            raise NotFound
        judge_held_anew(tenant_id=tenant_id, changed=PROVIDER, now=scope.now, provider=key)


def _faults(
    key: str,
    kind: str,
    found: Provider | None,
    config: Mapping[str, Any],
    credentials: Mapping[str, str],
    position: int,
    rate: Rate | None,
) -> Iterator[Fault]:
    if not KEY.fullmatch(key):
        yield fault("/key", "bad_key", "1 to 64 of the letters a-z, digits and _.")
    if not 0 <= position <= FARTHEST:
        yield fault("/position", "range", f"From 0 to {FARTHEST}; the lowest is asked first.")
    if rate and not (1 <= rate.count <= MOST_PER and 1 <= rate.seconds <= LONGEST_PER):
        yield fault("/rate", "range", f"A count of 1 to {MOST_PER} in 1 to {LONGEST_PER} seconds.")
    known = provider_kinds().get(kind)
    if known is None:
        yield fault("/kind", "unknown_kind", f"One of {', '.join(sorted(provider_kinds()))}.")
        return
    if found is not None and found.channel != known.channel:
        yield fault("/kind", "conflict", f"{key} is a provider for {found.channel}; choose another key.")
    yield from _kind_faults(known, config, credentials)


def _kind_faults(kind: ProviderKind, config: Mapping[str, Any], credentials: Mapping[str, str]) -> Iterator[Fault]:
    if extra := kind.missing_extra():
        told = f"This server lacks what {kind.name} needs: pip install chimeway_py[{extra}]."
        yield fault("/kind", "not_installed", told)
        return
    faults = [
        *_shape("/config", config, kind.config, kind.required),
        *_shape("/credentials", credentials, kind.credentials, kind.secret),
    ]
    yield from faults or kind.check(config, credentials)


def _shape(place: str, said: Mapping[str, Any], known: Mapping[str, Any], required: tuple[str, ...]) -> Iterator[Fault]:
    schema = {"type": "object", "properties": known, "required": list(required), "additionalProperties": False}
    errors = Draft202012Validator(schema).iter_errors(said)
    found = [one for error in errors for one in faults_of(error)]
    faults = {(one["path"], one["code"]): one for one in found}  # each of two missing keys names both
    for one in faults.values():
        is_about_value = place == "/credentials" and one["code"] not in _OF_NAMES
        told = "It has not the form that such a credential has." if is_about_value else one["message"]
        yield fault(f"{place}{one['path']}", one["code"], told)
    sound = known.keys() - {one["path"].removeprefix("/") for one in faults.values()}
    for name, value in said.items():  # credentials say it by their patterns: a key of a plugin may have many lines
        if place == "/config" and name in sound and isinstance(value, str) and not value.isprintable():
            yield fault(f"{place}/{name}", "bad_text", "One line of text that can be printed.")
