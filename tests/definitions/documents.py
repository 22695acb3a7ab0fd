"""Documents to start from: each valid, and small enough to see what a test changes."""

from copy import deepcopy
from typing import Any

import hypothesis.strategies as st

TELL: dict[str, Any] = {"key": "tell", "kind": "deliver", "channel": "in_app", "template": "hello"}
GRACE: dict[str, Any] = {
    "key": "grace",
    "kind": "wait",
    "for": "P2D",
    "signals": [{"name": "invoice.paid", "match": {"invoice_id": "run.correlation.invoice_id"}, "then": "complete"}],
}
LAST: dict[str, Any] = {"key": "last", "kind": "deliver", "channel": "in_app", "template": "hello"}


def document(*steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A valid document, with other steps or other top-level keys where given; None takes a key away."""
    whole: dict[str, Any] = {
        "key": "dunning",
        "start_on": {
            "signal": "invoice.failed",
            "subject": "data.customer_id",
            "correlate": {"invoice_id": "data.invoice_id"},
        },
        "templates": {"hello": {"title": "Hello", "text": "Hello {{ data.name }}"}},
        "steps": list(steps) or [TELL, GRACE, LAST],
    }
    return deepcopy({key: value for key, value in (whole | changes).items() if value is not None})


def wait(**changes: Any) -> dict[str, Any]:
    """A wait of two days with the key `grace`; None takes a key away."""
    whole = {"key": "grace", "kind": "wait", "for": "P2D"} | changes
    return {key: value for key, value in whole.items() if value is not None}


def branch(*conditions: Any) -> dict[str, Any]:
    """A branch with the key `fork` whose conditions all complete the run."""
    return {"key": "fork", "kind": "branch", "when": [{"if": tree, "then": "complete"} for tree in conditions]}


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
json_values = st.recursive(
    scalars | texts, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)
)
