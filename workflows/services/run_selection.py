"""Runs by what they are, not by their ids: the filter of bulk calls, and the plan that fixes what it will touch."""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from chimeway_py.errors import Invalid, fault
from chimeway_py.text import is_storable
from signals_app.instants import read_instant
from workflows.querysets import RunQuerySet
from workflows.states import RunState


@dataclass(frozen=True, slots=True)
class Selection:
    """Runs that meet every condition that is given; `started` is when the run was created."""

    workflow: str = ""
    state: str = ""
    subject: str = ""
    correlation: Mapping[str, str] = field(default_factory=dict)
    waiting_on: str = ""
    started_after: datetime | None = None
    started_before: datetime | None = None
    broadcast: str = ""

    def check(self) -> None:
        """Raises `Invalid` listing every fault. A selection without any condition is one: it would mean every run."""
        faults = [*_faults(self)]
        if faults:
            raise Invalid("The selection is not valid.", faults)

    def of(self, rows: RunQuerySet) -> RunQuerySet:
        """Those of `rows` that are selected."""
        plain = {
            "definition_key": self.workflow,
            "state": self.state,
            "subject": self.subject,
            "correlation__contains": dict(self.correlation),
            "created_at__gt": self.started_after,
            "created_at__lt": self.started_before,
        }
        rows = rows.filter(**{name: value for name, value in plain.items() if value})
        rows = rows.of_broadcast(self.broadcast) if self.broadcast else rows
        return rows.waiting_on(self.waiting_on) if self.waiting_on else rows


@dataclass(frozen=True, slots=True)
class Plan:
    """A bulk call that was looked at: no run that started after the look is touched.

    `after` and `up_to` are row ids: how far the call has come, and how far it goes. `compensate`: what is cancelled is
    undone.
    """

    action: str
    selection: Selection
    up_to: int
    after: int = 0
    compensate: bool = False

    @property
    def undoes(self) -> bool:
        """Whether something that runs did is undone by it."""
        return self.compensate or self.action == "compensate"

    @property
    def mark(self) -> str:
        """What is the same for all batches of one plan, and for no other."""
        return hashlib.sha256(replace(self, after=0).as_token().encode()).hexdigest()[:32]

    def as_token(self) -> str:
        """The plan as opaque text. It grants nothing that its bearer could not ask for, so it is not signed."""
        selection = {one.name: getattr(self.selection, one.name) for one in fields(Selection)}
        written = [self.action, {name: value for name, value in selection.items() if value}, self.up_to, self.after]
        written += [True] if self.compensate else []
        return base64.urlsafe_b64encode(json.dumps(written, default=datetime.isoformat).encode()).decode()

    @classmethod
    def from_token(cls, token: str) -> "Plan":
        """The plan that `as_token` wrote. Raises `Invalid` for any other text."""
        try:
            action, selection, up_to, after, *more = json.loads(base64.urlsafe_b64decode(token))
            times = {name: read_instant(selection[name]) for name in _TIMES if name in selection}
            if None in times.values():
                raise ValueError("no such time")
            plan = cls(str(action), Selection(**{**selection, **times}), int(up_to), int(after), bool(more))
            plan.selection.check()
            if more not in ([], [True]) or (more and plan.action != "cancel"):
                raise ValueError("no such plan")
            if not 0 <= plan.after <= plan.up_to < 2**63:
                raise ValueError("no such rows")
        except (binascii.Error, ValueError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            raise Invalid("The plan is not valid.", [fault("/plan", "bad_plan", "Not a plan of this call.")]) from error
        return plan


_TIMES = ("started_after", "started_before")
_TEXTS = {"workflow": 64, "subject": 200, "waiting_on": 100, "broadcast": 36}


def _faults(selection: Selection) -> Iterator[dict[str, str]]:
    if selection == Selection():
        yield fault("", "no_condition", "Give at least one condition.")
    for name, limit in _TEXTS.items():
        if not is_storable(getattr(selection, name), limit):
            yield fault(f"/{name}", "bad_text", f"Text of at most {limit} characters.")
    if selection.state and selection.state not in RunState.values:
        yield fault("/state", "unknown_state", f"One of {', '.join(RunState.values)}.")
    if not _is_correlation(selection.correlation):
        yield fault("/correlation", "bad_correlation", "An object of texts.")
    for name in _TIMES:
        at = getattr(selection, name)
        if at is not None and at.tzinfo is None:
            yield fault(f"/{name}", "bad_time", "An instant with an offset, such as 2026-11-20T09:30:00Z.")


def _is_correlation(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        is_storable(name, 50) and is_storable(text, 200) for name, text in value.items()
    )
