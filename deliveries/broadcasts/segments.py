"""Segments: stored, counted, and walked through in the order of their recipients' rows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chimeway_py.errors import Invalid, fault
from chimeway_py.text import is_storable
from deliveries.broadcasts.errors import SegmentNotFound
from deliveries.models import Recipient, Segment
from deliveries.recipients.addressing import recipient_tree
from tenants.scope import tenant_scope
from workflows.definitions.condition_checks import check_condition
from workflows.definitions.conditions import evaluate
from workflows.definitions.paths import path_fault

KEY = re.compile(r"[a-z0-9_]{1,64}")
ROOTS = frozenset({"recipient"})
PAGE = 1000  # recipients that are opened at once
MOST_COUNTED = 100_000  # recipients that a count looks at
SAMPLE = 10


@dataclass(frozen=True, slots=True)
class Count:
    """How many recipients meet a condition, out of those that were looked at; `is_whole`: those are all there are."""

    matches: int
    looked_at: int
    is_whole: bool
    sample: tuple[str, ...]


def put_segment(*, tenant_id: int, key: str, condition: Any, name: str = "") -> tuple[Segment, bool]:
    """Make or change a segment, and whether it is new. Broadcasts that exist keep the condition they were made with.

    Raises `Invalid` with every fault.
    """
    faults = condition_faults(condition)
    if not KEY.fullmatch(key):
        faults.append(fault("/key", "bad_key", "1 to 64 of a-z, 0-9 and _."))
    if not is_storable(name, 200):
        faults.append(fault("/name", "bad_text", "Text of at most 200 characters."))
    if faults:
        raise Invalid("The segment is not valid.", faults)
    said = {"condition": condition, "name": name}
    with tenant_scope(tenant_id) as scope:
        return Segment.objects.update_or_create(tenant_id=tenant_id, key=key, defaults=said | {"updated_at": scope.now})


def drop_segment(*, tenant_id: int, key: str) -> None:
    """Forget a segment. Raises `SegmentNotFound`."""
    with tenant_scope(tenant_id):
        segment_named(tenant_id, key).delete()


def segment_named(tenant_id: int, key: str) -> Segment:
    """The segment, inside its tenant's scope. Raises `SegmentNotFound`."""
    found = Segment.objects.filter(tenant_id=tenant_id, key=key).first()
    if found is None:
        raise SegmentNotFound(f"No such segment: {key!r}.")
    return found


def condition_faults(condition: Any) -> list[dict[str, str]]:
    """Every fault of a condition over recipients."""
    return list(check_condition(condition, "/condition", lambda path: path_fault(path, ROOTS)))


def count_matches(*, tenant_id: int, condition: Mapping[str, Any], most: int = MOST_COUNTED) -> Count:
    """How many recipients meet a condition now, with the oldest of them. At most `most` recipients are looked at."""
    matches = looked_at = after = 0
    sample: list[str] = []
    with tenant_scope(tenant_id):
        while looked_at < most:
            found, last, seen = matching_after(tenant_id, condition, after, min(PAGE, most - looked_at))
            sample += found[: SAMPLE - len(sample)]
            matches, looked_at, after = matches + len(found), looked_at + seen, last
            if not seen:
                break
        is_whole = not Recipient.objects.filter(tenant_id=tenant_id, id__gt=after).exists()
    return Count(matches, looked_at, is_whole, tuple(sample))


def matching_after(
    tenant_id: int, condition: Mapping[str, Any], after: int, most: int, up_to: int | None = None
) -> tuple[list[str], int, int]:
    """Of the next recipients by row: who meets a condition, the row looked at last, and how many were looked at."""
    rows = Recipient.objects.filter(tenant_id=tenant_id, id__gt=after)
    if up_to is not None:
        rows = rows.filter(id__lte=up_to)
    page = list(rows.order_by("id")[:most])
    found = [row.external_id for row in page if meets(row, condition)]
    return found, page[-1].pk if page else after, len(page)


def meets(row: Recipient, condition: Mapping[str, Any]) -> bool:
    """Whether a recipient meets a condition."""
    return evaluate(condition, {"recipient": recipient_tree(row.external_id, row)}).held
