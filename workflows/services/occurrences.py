"""Occurrences of a schedule: instants in UTC from a cron expression and a time zone. Pure.

As in Debian's cron: what falls into the hour that a zone skips in spring occurs right after it, and what falls into the
hour that it repeats in autumn occurs once, the first time. Expressions with a star for the minute or the hour follow
the clock on the wall: they occur in both of the hours and in none that is skipped.
"""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from chimeway_py.errors import fault

LONGEST_EXPRESSION = 100
_REPEATED = timedelta(hours=4)  # more than any zone ever turned its clock back by


def occurrence_faults(expression: str, zone: str) -> list[dict[str, str]]:
    """What is wrong with a cron expression and the name of a zone; an empty list when they can be used."""
    faults = []
    if zone not in available_timezones():
        faults.append(fault("/zone", "time_zone", "A time zone such as Europe/Berlin."))
    if len(expression) > LONGEST_EXPRESSION or len(expression.split()) != 5:
        faults.append(fault("/expression", "bad_expression", "Five fields: minute, hour, day, month, weekday."))
        return faults
    try:
        if not list(islice(CronSim(expression, datetime(2026, 1, 1, tzinfo=UTC)), 1)):
            faults.append(fault("/expression", "never", "It never occurs."))
    except CronSimError as error:
        faults.append(fault("/expression", "bad_expression", f"{error}."))
    return faults


def occurrences_after(expression: str, zone: str, after: datetime) -> Iterator[datetime]:
    """Every occurrence later than `after`, in order, in UTC."""
    local = after.astimezone(ZoneInfo(zone))
    # In an hour that is repeated the iterator may begin with what occurred the first time.
    return (found for found in _in_utc(CronSim(expression, local)) if found > after)


def latest_occurrences(expression: str, zone: str, since: datetime, until: datetime, most: int) -> list[datetime]:
    """The latest `most` (at least 1) of the occurrences from `since` to `until`, both included, in order, in UTC.

    What lies further back costs nothing, however long ago `since` is.
    """
    backwards = CronSim(expression, (until + _REPEATED).astimezone(ZoneInfo(zone)), reverse=True)
    near = list(islice((one for one in _in_utc(backwards) if one <= until), most))
    # Read backwards, an hour that is repeated may count otherwise; from a day before on, what counts is read forwards.
    begin = max(since, near[-1] - timedelta(days=1)) if len(near) == most else since
    forwards = occurrences_after(expression, zone, begin - timedelta(seconds=1))
    return list(deque(takewhile(lambda one: one <= until, forwards), maxlen=most))


def _in_utc(found: Iterator[datetime]) -> Iterator[datetime]:
    return (one.astimezone(UTC) for one in found)
