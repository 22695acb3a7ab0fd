"""How the admin writes times, links and states. Everything that comes from outside is escaped."""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from tenants.admin.paging import page_of
from tenants.scope import current_scope, database_now

_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?(Z|\+00:00)")  # shown to the second
_UNITS = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)]


def now() -> datetime:
    """The database clock of this request."""
    scope = current_scope()
    return scope.now if scope is not None else database_now()


def length(span: timedelta) -> str:
    """A length of time in its two largest units: `2 h 5 min`. Less than a second is `0 s`."""
    left = int(abs(span.total_seconds()))
    parts = []
    for unit, seconds in _UNITS:
        count, left = divmod(left, seconds)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def ago(when: datetime | None) -> str:
    """How long ago, or how long until: `5 min ago`, `in 2 h`. Empty for None."""
    if when is None:
        return ""
    span = now() - when
    return f"{length(span)} ago" if span >= timedelta(0) else f"in {length(span)}"


def moment(when: datetime | None) -> str | SafeString:
    """A time to the second in UTC, with how far away it is; a dash for None."""
    if when is None:
        return "–"
    return format_html('{} <span class="cw-quiet">{}</span>', instant(when), ago(when))


def instant(when: datetime) -> SafeString:
    """A time to the second in UTC, for one that nobody waits for any more."""
    return format_html('<time datetime="{}">{}</time>', when.isoformat(), f"{when:%Y-%m-%d %H:%M:%S}")


def clock(when: datetime) -> SafeString:
    """The time of day to the millisecond in UTC, for lines that stand under their date."""
    shown = f"{when:%H:%M:%S}.{when.microsecond // 1000:03}"
    return format_html('<time datetime="{}">{}</time>', when.isoformat(), shown)


def badge(word: str) -> SafeString:
    """A state, status, verdict or outcome as a coloured word."""
    return format_html('<span class="cw-badge cw-{}">{}</span>', word.replace("_", "-"), word.replace("_", " ") or "–")


def link(row: Any, text: str = "") -> str | SafeString:
    """A link to a row's page; a dash for None."""
    return "–" if row is None else format_html('<a href="{}">{}</a>', page_of(row), text or str(row))


def short(public_id: Any) -> str:
    """The first and last parts of a public id: enough to tell rows of one list apart."""
    text = str(public_id)
    return f"{text[:8]}…{text[-6:]}"


def pairs(mapping: Mapping[str, Any]) -> str:
    """A small object as text: `invoice_id = INV-7, signals = a b`; a dash for an empty one."""
    return ", ".join(f"{name} = {_value(value)}" for name, value in mapping.items()) or "–"


def _value(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return " ".join(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return _INSTANT.sub(r"\1 \2", text)
