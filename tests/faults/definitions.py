"""The workflows that a run of `bin/prove` walks. Every run carries `order_id`, by which the checker finds it again."""

import re
from datetime import timedelta
from typing import Any

CORRELATE = {"order_id": "run.correlation.order_id"}
WORDS = {"hello": {"subject": "Order {{ data.order_id }}", "text": "About order {{ data.order_id }}."}}
MAPPING = {
    "name": "type",
    "external_id": "id",
    "subject": "customer",
    "correlation": {"order_id": "order_id"},
}


def _definition(key: str, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    start = {"start_on": more.pop("start_on")} if "start_on" in more else {"correlation": ["order_id"]}
    return {"key": key, "templates": WORDS, "deadline": "P1D", "steps": list(steps), **start, **more}


def _starts_on(name: str) -> dict[str, Any]:
    return {"signal": name, "subject": "data.customer", "correlate": {"order_id": "data.order_id"}}


def _wait(seconds: str, then: Any = "complete", **more: Any) -> dict[str, Any]:
    signals = [{"name": "order.paid", "match": CORRELATE, "then": then}]
    return {"key": "paid", "kind": "wait", "for": seconds, "signals": signals, **more}


def _deliver(key: str, channel: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "kind": "deliver", "channel": channel, "template": "hello", **more}


RETRY = {"max_attempts": 12, "backoff": "none", "initial": "PT1S"}
MAIL = _deliver("mail", "email", to="data.email", retry=RETRY)
POST = _deliver("post", "webhook", endpoint="pager", retry=RETRY)

DEFINITIONS = [
    _definition("canary", MAIL),
    _definition("paid", _deliver("tell", "in_app"), _wait("P1D"), MAIL, start_on=_starts_on("order.placed")),
    _definition("silent", _wait("PT4S", on_timeout="next"), POST),
    _definition("race", _wait("PT3S", on_timeout="next"), POST),
    _definition("cancelled", _wait("P1D"), MAIL),
    _definition("flaky", _deliver("post", "webhook", endpoint="flaky", retry=RETRY)),
    _definition("once", _deliver("post", "webhook", endpoint="pager", retry=RETRY, at_most_once=True)),
    _definition("early", _wait("P1D", look_back="PT1H"), MAIL),
    _definition("paused", _wait("PT2S", on_timeout="next"), _deliver("tell", "in_app")),
    _definition("followed", POST, _wait("PT15S", on_timeout="next")),  # it goes on for a while after its message
    _definition("asked", {"key": "ask", "kind": "approval", "for": "P1D"}, POST),
]

#: how long the wait of a run lasts when nothing ends it before, by key of its definition
LASTS = {
    document["key"]: timedelta(seconds=int(found[1]))
    for document in DEFINITIONS
    for step in document["steps"]
    if (found := re.fullmatch(r"PT(\d+)S", step.get("for", "")))
}
WAIT_FIRST = {document["key"] for document in DEFINITIONS if document["steps"][0]["kind"] == "wait"}
