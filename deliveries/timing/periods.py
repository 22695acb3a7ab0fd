"""Periods of a person's wall clock: whether an instant lies in one, and when the clock next lets us. Pure.

What counts is what the clock on the wall shows. An hour that a zone skips is shown by no clock, so nothing lies in it;
one that it repeats is shown twice, and is quiet twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from workflows.steps.resting import WEEKDAYS

HORIZON = timedelta(days=15)  # every weekday comes twice in it, so what it has no room for has none at all
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """From one time of day to another, past midnight when the second is the earlier, on days on which it begins."""

    begins: time
    ends: time
    weekdays: frozenset[str] = frozenset(WEEKDAYS)

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "Period":
        """From {from, to, weekdays} that were checked."""
        return cls(
            time.fromisoformat(raw["from"]),
            time.fromisoformat(raw["to"]),
            frozenset(raw.get("weekdays") or WEEKDAYS),
        )

    def has(self, wall: datetime) -> bool:
        """Whether the wall clock shows a time of the period."""
        shown, today = wall.time(), wall.date()
        if self.begins < self.ends:
            return self.begins <= shown < self.ends and self._begins_on(today)
        if shown >= self.begins:
            return self._begins_on(today)
        return shown < self.ends and self._begins_on(today - _DAY)

    def __str__(self) -> str:
        days = "" if len(self.weekdays) == len(WEEKDAYS) else " " + " ".join(d for d in WEEKDAYS if d in self.weekdays)
        return f"{self.begins:%H:%M}–{self.ends:%H:%M}{days}"

    def _begins_on(self, day: date) -> bool:
        return WEEKDAYS[day.weekday()] in self.weekdays


@dataclass(frozen=True, slots=True)
class Clock:
    """A wall clock in a zone: the periods in which it is quiet, and the one, if any, outside of which it is too."""

    zone: ZoneInfo
    quiet: Sequence[Period] = ()
    window: Period | None = None

    def what_forbids(self, at: datetime) -> Period | None:
        """The period that keeps a message back at an instant, or None."""
        wall = at.astimezone(self.zone)
        if self.window is not None and not self.window.has(wall):
            return self.window
        return next((period for period in self.quiet if period.has(wall)), None)

    def next_opening(self, after: datetime) -> datetime | None:
        """The first instant, from `after` on, at which nothing forbids it; None when there is none."""
        if self.what_forbids(after) is None:
            return after
        # between two of these the clock runs evenly and passes no bound, so nothing opens there
        openings = (at for at in sorted(self._turns(after)) if at > after and self.what_forbids(at) is None)
        return next(openings, None)

    def _turns(self, after: datetime) -> Iterator[datetime]:
        """Every instant at which a period may begin or end, and every turn of the clock."""
        bounds = {bound for period in self._periods() for bound in (period.begins, period.ends)}
        first = after.astimezone(self.zone).date() - _DAY
        for number in range(HORIZON.days + 2):
            day = first + number * _DAY
            for bound in bounds:
                for fold in (0, 1):
                    yield datetime.combine(day, bound, self.zone).replace(fold=fold).astimezone(UTC)
            yield from _clock_turns(self.zone, day)

    def _periods(self) -> list[Period]:
        return [*self.quiet, *([self.window] if self.window is not None else [])]


def _clock_turns(zone: ZoneInfo, day: date) -> Iterator[datetime]:
    """The instant of a day at which the zone's clocks are turned, to the second; none on most days."""
    low = datetime.combine(day, time(), UTC)
    high = low + _DAY
    if low.astimezone(zone).utcoffset() == high.astimezone(zone).utcoffset():
        return
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    yield high
