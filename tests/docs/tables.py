"""Tables of the documentation that are made from the code: `python -m tests.docs.tables` writes them again.

A page marks the place with `<!-- table: moves -->` and `<!-- end of table -->`.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tests.docs.pages import PAGES

_PLACE = re.compile(r"(?P<begin><!-- table: (?P<name>\w+) -->\n)(?P<body>.*?)(?P<end><!-- end of table -->)", re.DOTALL)
Row = Sequence[str]


def rewritten(text: str) -> str:
    """A page with every marked table as the code has it now."""
    return _PLACE.sub(lambda place: f"{place['begin']}{TABLES[place['name']]()}{place['end']}", text)


def names_in(text: str) -> list[str]:
    """The tables that a page marks."""
    return [place["name"] for place in _PLACE.finditer(text)]


def table(head: Row, rows: Iterable[Row]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def moves() -> str:
    """From which state a run may move to which."""
    from workflows.states import MOVES, TERMINAL

    rows = [
        (f"`{state}`" if state else "(does not exist yet)", ", ".join(f"`{to}`" for to in _in_order(allowed)))
        for state, allowed in MOVES.items()
        if state not in TERMINAL
    ]
    ends = ", ".join(f"`{state}`" for state in _in_order(TERMINAL))
    return table(("from", "may move to"), [*rows, (ends, "nothing: an ended run stays as it is")])


def _in_order(states: Iterable[str]) -> list[str]:
    from workflows.states import RunState

    wanted = set(states)
    return [str(state) for state in RunState if state in wanted]


#: What a transition of each reason keeps, so that its clause can be shown with something in it.
CONTEXTS: dict[str, dict[str, Any]] = {
    "step_settled": {"outcome": "delivered"},
    "retry_scheduled": {"outcome": "temporary_failure", "error": "smtp 451"},
    "work_held": {
        "decided_by": "recipient",
        "rule": "quiet hours 22:00–07:00",
        "until": "2026-11-21T06:00:00+00:00",
    },
    "work_released": {
        "decided_by": "recipient",
        "rule": "quiet hours 22:00–07:00",
        "until": "2026-11-21T06:00:00+00:00",
        "changed": "the_sending_rules",
    },
    "digest_joined": {"position": 2},
    "digested": {"leader": "01939f3a-…"},
    "outcome_noted": {"outcome": "bounced", "of": "email"},
    "branch_taken": {"when": 0},
    "signal_matched": {"signal": "invoice.paid"},
    "early_signal_used": {"signal": "invoice.paid"},
    "version_changed": {"version_from": 1, "version_to": 2},
    "signal_buffered": {"signal": "invoice.paid"},
    "signal_rejected": {"signal": "invoice.paid"},
    "rule_stopped": {"terminal_reason": "customer_left"},
    "cancelled": {"terminal_reason": "wrong customer"},
    "compensation_owed": {"count": 2, "steps": ["charge", "reserve"]},
    "compensated": {"compensates": "charge", "outcome": "delivered"},
    "compensation_failed": {"compensates": "charge", "outcome": "permanent_failure", "error": "http 404"},
    "compensation_unknown": {"compensates": "charge"},
    "compensation_needless": {"compensates": "charge", "outcome": "permanent_failure"},
    "note_added": {"note": "customer called"},
}


def reasons() -> str:
    """Every reason code with the clause that explanations make of it."""
    from workflows.explain.because import because
    from workflows.states import NOTED, Reason

    rows = [
        (f"`{reason}`", because(reason, "grace", CONTEXTS.get(reason, {})), "note" if reason in NOTED else "move")
        for reason in Reason
    ]
    return table(("reason", "as it is told (at a step “grace”)", "kind"), rows)


def errors() -> str:
    """Every refusal of ours: code, status and its sentence."""
    from tests.docs.codes import refusals

    rows = [(f"`{code}`", str(status), sentence) for code, (status, sentence) in sorted(refusals().items())]
    return table(("code", "status", "what it says"), rows)


def endpoints() -> str:
    """Every address under /v1 and /hooks with the scope that it needs."""
    from tests.docs.openapi import operations

    rows = [(f"`{one.method} {one.path}`", f"`{one.scope}`" if one.scope else "–", one.summary) for one in operations()]
    return table(("request", "scope", "what it does"), rows)


def event_types() -> str:
    """Every type of event that can be told."""
    from workflows.events.types import EventType

    return table(("type", "when"), [(f"`{one.value}`", str(one.label)) for one in EventType])


TABLES: dict[str, Callable[[], str]] = {
    "moves": moves,
    "reasons": reasons,
    "errors": errors,
    "endpoints": endpoints,
    "event_types": event_types,
}


def main() -> None:
    """Write every marked table of every page again."""
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chimeway_py.settings")
    os.environ.setdefault("DEBUG", "1")
    django.setup()
    for page in PAGES:
        before = page.read_text()
        after = rewritten(before)
        if after != before:
            page.write_text(after)


if __name__ == "__main__":
    main()
