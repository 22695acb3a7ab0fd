"""ISO 8601 durations of a known length: weeks, days, hours, minutes and seconds, never months or years."""

import re
from datetime import timedelta

LONGEST = timedelta(days=3660)
_DURATION = re.compile(
    r"P(?:(?P<weeks>\d{1,6})W)?(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?:(?P<hours>\d{1,8})H)?(?:(?P<minutes>\d{1,8})M)?(?:(?P<seconds>\d{1,9})(?:\.(?P<fraction>\d{1,6}))?S)?)?",
    re.ASCII,
)


def parse_duration(text: str) -> timedelta:
    """The length that `text` names (`P2D`, `PT1H30M`, `P1W`). Raises ValueError with a sentence for people."""
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()) or text.endswith("T"):
        raise ValueError(_advice(text))
    parts = {unit: int(value) for unit, value in found.groupdict().items() if value and unit != "fraction"}
    length = timedelta(**parts, microseconds=int((found["fraction"] or "").ljust(6, "0")))
    if length > LONGEST:
        raise ValueError(f"A duration may be at most {LONGEST.days} days.")
    return length


def format_duration(length: timedelta) -> str:
    """The shortest ISO 8601 text of `length`, which `parse_duration` reads back. Raises ValueError below zero."""
    if length < timedelta(0):
        raise ValueError("A duration is not negative.")
    hours, rest = divmod(length.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    fraction = f".{length.microseconds:06d}".rstrip("0") if length.microseconds else ""
    days = f"{length.days}D" if length.days else ""
    clock = "".join(f"{value}{unit}" for value, unit in ((hours, "H"), (minutes, "M")) if value)
    clock += f"{seconds}{fraction}S" if seconds or fraction else ""
    return f"P{days}T{clock}" if clock else f"P{days or 'T0S'}"


def _advice(text: str) -> str:
    if re.match(r"P[^T]*[YM]", text):
        return "Years and months differ in length; write the duration in weeks or days, for example P30D."
    return "Not an ISO 8601 duration; write for example PT15M, PT2H, P2D or P1W."
