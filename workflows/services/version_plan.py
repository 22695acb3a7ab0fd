"""The plan of a move to another version: what was looked at, as text that is sent back to carry it out."""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chimeway_py.errors import Invalid, fault
from signals_app.instants import read_instant
from workflows.definitions.errors import DefinitionNotFound, WrongStatus
from workflows.engine.version_moves import Due, Way
from workflows.models import Definition, DefinitionStatus
from workflows.services.documents import Loaded, documents

DUES = ("keep", "recompute")


@dataclass(frozen=True, slots=True)
class Change:
    """From which version of a key to which. `steps` maps steps of the old to those of the new; others keep their key.

    `due`: whether an open wait that is opened anew keeps its time, or has it counted anew from when it was opened.
    """

    key: str
    from_version: int
    to_version: int
    steps: Mapping[str, str] = field(default_factory=dict)
    due: Due = "keep"


@dataclass(frozen=True, slots=True)
class MovePlan:
    """A move that was looked at, at `as_of`: a run that has changed since, or that came later, is not moved by it.

    `after` and `up_to` are row ids: how far the move has come, and how far it goes.
    """

    change: Change
    up_to: int
    as_of: datetime
    after: int = 0

    def as_token(self) -> str:
        """The plan as opaque text. It grants nothing that its bearer could not ask for, so it is not signed."""
        change = self.change
        said = [change.key, change.from_version, change.to_version, dict(change.steps), change.due]
        written = [*said, self.up_to, self.as_of.isoformat(), self.after]
        return base64.urlsafe_b64encode(json.dumps(written).encode()).decode()

    @classmethod
    def from_token(cls, token: str, key: str) -> "MovePlan":
        """The plan for this key that `as_token` wrote. Raises `Invalid` for any other text."""
        try:
            own_key, from_, to, steps, due, up_to, as_of, after = json.loads(base64.urlsafe_b64decode(token))
            change = Change(str(own_key), int(from_), int(to), {str(a): str(b) for a, b in steps.items()}, due)
            plan = cls(change, int(up_to), _as_of(as_of), int(after))
            numbers = from_ < 2**31 and to < 2**31 and 0 <= plan.after <= plan.up_to < 2**63
            if own_key != key or due not in DUES or not numbers:
                raise ValueError("not a plan of this key")
        except (binascii.Error, ValueError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            raise Invalid("The plan is not valid.", [fault("/plan", "bad_plan", "Not a plan of this call.")]) from error
        return plan


def _as_of(text: Any) -> datetime:
    if (found := read_instant(text)) is None:
        raise ValueError("no such time")
    return found


@dataclass(frozen=True, slots=True)
class Versions:
    """Both versions of a change, and the way from one to the other."""

    old: Loaded
    new: Loaded
    way: Way


def load_versions(tenant_id: int, change: Change) -> Versions:
    """The versions that a change names. Raises `DefinitionNotFound`, `WrongStatus` and `Invalid` with every fault."""
    found = Definition.objects.for_tenant(tenant_id).filter(key=change.key)
    rows = {row.version: row for row in found.filter(version__in=[change.from_version, change.to_version])}
    for version in (change.from_version, change.to_version):
        if version not in rows:
            raise DefinitionNotFound(f"No definition {change.key!r} version {version}.")
        if rows[version].status == DefinitionStatus.DRAFT:
            raise WrongStatus(f"{rows[version]} is a draft: no run stands on it.")
    if rows[change.to_version].status != DefinitionStatus.PUBLISHED:
        raise WrongStatus(
            f"{rows[change.to_version]} is {rows[change.to_version].status}: runs move to a published one."
        )
    ids = [rows[version].pk for version in (change.from_version, change.to_version)]
    loaded = documents(tenant_id, ids)
    way = Way(loaded[ids[0]].document, loaded[ids[1]].document, change.steps, change.due)
    faults = [*_faults(change, way)]
    if faults:
        raise Invalid("The move is not valid.", faults)
    return Versions(loaded[ids[0]], loaded[ids[1]], way)


def _faults(change: Change, way: Way) -> Iterator[dict[str, str]]:
    if change.from_version == change.to_version:
        yield fault("/to_version", "same_version", "Another version than the one they are on.")
    if change.due not in DUES:
        yield fault("/due", "unknown_word", f"One of {', '.join(DUES)}.")
    for old, new in change.steps.items():
        if old not in way.old.by_key:
            yield fault(f"/map/{old}", "unknown_step", f"Version {change.from_version} has no such step.")
        if new not in way.new.by_key:
            yield fault(f"/map/{old}", "unknown_step", f"Version {change.to_version} has no step {new!r}.")
