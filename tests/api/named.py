"""What bodies name: for each member of a body that names an object, the body that names another tenant's.

`verb path place`, or `part place` of a definition; a test holds that every member of the document stands here or in
`tests/api/nameless.py`.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.api.rich import Names, document

OWN = 0
Body = Callable[[Any, Names], Any]
NOBODY = "nobody_has_this"


@dataclass(frozen=True, slots=True)
class Named:
    """A member, and how it is asked for.

    `kind` is what it names, a key of the names that `furnish` returns. `body` is made from the name and from what the
    asker has. `status` is the answer to a name that the asker does not have: 404, the refusal that the docs tell of, or
    200 where it only selects; nothing is written. `OWN`: a name that every tenant gives for itself, so it is taken.
    `path` says which of the asker's objects the address names. `never` is a name that nobody has.
    """

    member: str
    kind: str
    body: Body
    status: int = 404
    path: Mapping[str, str] | None = None
    never: Any = NOBODY
    media: str = ""

    def __str__(self) -> str:
        return f"{self.member} ({self.kind})"


def _start(**more: Any) -> Body:
    return lambda name, mine: {"workflow": mine["definition"], "subject": "ada"} | _put(more, name)


def _put(shape: Any, name: Any) -> Any:
    """The shape with the name where it says `...`."""
    if shape is ...:
        return name
    if isinstance(shape, Mapping):
        return {key: _put(value, name) for key, value in shape.items()}
    return [_put(value, name) for value in shape] if isinstance(shape, list) else shape


def _said(**shape: Any) -> Body:
    return lambda name, mine: _put(shape, name)


def _of_mine(**shape: Any) -> Body:
    return lambda name, mine: {"workflow": mine["definition"], **_put(shape, name)}


WHY = {"reason": "a test"}
NO_ID = str(uuid.UUID(int=7))
LOOK = {"action": "cancel", "dry_run": True}
NO_BULK = "WyJjYW5jZWwiLCB7IndvcmtmbG93IjogIm5vYm9keSJ9LCAzLCAwXQ=="  # a plan for runs of a workflow that nobody has
WEEKLY = {"key": "mondays", "expression": "0 9 * * 1", "subjects": ["ada"]}
SIGNAL = {"name": "order.made", "subject": "ada"}
RULE = {"channel": "email", "allowed": False}
CAP = {"name": "few", "channel": "email", "limit": 1, "per": "P1D", "then": "drop"}
MINE = {"subject": "recipient"}


def _selects(member: str, kind: str, **shape: Any) -> Named:
    """A condition of a bulk call: it selects among the asker's runs."""
    return Named(f"post /v1/runs/bulk where.{member}", kind, _said(**LOOK, where=shape), 200, never=NO_ID)


RUNS = [
    Named("post /v1/runs workflow", "definition", _said(workflow=..., subject="ada")),
    Named("post /v1/runs subject", "recipient", _start(subject=...), OWN),
    Named("post /v1/runs subjects[]", "recipient", _of_mine(subjects=[...]), OWN),
    Named("post /v1/runs idempotency_key", "idempotency_key", _start(idempotency_key=...), OWN),
    Named("post /v1/runs runs[].subject", "recipient", _of_mine(runs=[{"subject": ...}]), OWN),
    Named(
        "post /v1/runs runs[].idempotency_key",
        "idempotency_key",
        _of_mine(runs=[{"subject": "ada", "idempotency_key": ...}]),
        OWN,
    ),
    _selects("workflow", "definition", workflow=...),
    _selects("subject", "recipient", subject=...),
    _selects("broadcast", "broadcast", broadcast=...),
    _selects("waiting_on", "waiting_on", waiting_on=...),
    _selects("correlation.*", "value", correlation={"order": ...}),
    Named("post /v1/runs/cancel runs[]", "run", _said(runs=[...], **WHY), never=NO_ID),
    Named("post /v1/runs/cancel runs[]", "run", lambda name, mine: {"runs": [mine["run"], name], **WHY}, never=NO_ID),
    Named(
        "post /v1/runs/cancel-by-key workflow",
        "definition",
        lambda name, mine: {"workflow": name, "correlation": {"order": mine["own_value"]}, **WHY},
        200,
    ),
    Named("post /v1/runs/cancel-by-key idempotency_key", "idempotency_key", _said(idempotency_key=..., **WHY), 200),
    Named("post /v1/runs/cancel-by-key correlation.*", "value", _said(correlation={"order": ...}, **WHY), 200),
    Named("post /v1/runs/bulk plan", "bulk_plan", _said(plan=..., **WHY), 200, never=NO_BULK),
    Named(
        "post /v1/runs/{public_id}/replay idempotency_key",
        "another_key",
        _said(idempotency_key=..., **WHY),
        OWN,
        path={"public_id": "ended"},
    ),
    Named(
        "post /v1/runs/import application/x-ndjson",
        "export",
        lambda name, mine: name,
        OWN,
        media="application/x-ndjson",
    ),
]
BROADCASTS = [
    Named("post /v1/broadcasts workflow", "definition", _said(workflow=..., subjects=["ada"])),
    Named("post /v1/broadcasts segment", "segment", _of_mine(segment=...)),
    Named("post /v1/broadcasts subjects[]", "recipient", _of_mine(subjects=[...]), OWN),
    *(
        Named(
            f"put /v1/broadcasts/{{public_id}}/targets {media}",
            "recipient",
            body,
            OWN,
            path={"public_id": "file_broadcast"},
            media=media,
        )
        for media, body in {
            "text/csv": lambda name, mine: f"subject\n{name}\n",
            "application/x-ndjson": lambda name, mine: f'{{"subject": "{name}"}}\n',
        }.items()
    ),
]
SCHEDULES = [
    Named("post /v1/schedules workflow", "definition", _said(**WEEKLY, workflow=...)),
    Named("post /v1/schedules key", "schedule", _of_mine(**WEEKLY | {"key": ...}), OWN),
    Named(
        "post /v1/schedules subjects[]", "recipient", _of_mine(**WEEKLY | {"key": "tuesdays", "subjects": [...]}), OWN
    ),
    Named("patch /v1/schedules/{key} workflow", "definition", _said(workflow=...), path={"key": "schedule"}),
    Named(
        "patch /v1/schedules/{key} subjects[]",
        "recipient",
        _said(subjects=[...]),
        OWN,
        path={"key": "schedule"},
    ),
]
SIGNALS = [
    Named("post /v1/signals external_id", "external_id", _said(**SIGNAL, external_id=...), OWN),
    Named("post /v1/signals subject", "recipient", _said(**SIGNAL | {"subject": ...}), OWN),
    Named("post /v1/signals name", "waiting_on", _said(**SIGNAL | {"name": ...}), OWN),
    *(
        Named(f"post /v1/signals/batch signals[].{member}", kind, _said(signals=[SIGNAL | {member: ...}]), OWN)
        for member, kind in {"external_id": "external_id", "subject": "recipient", "name": "waiting_on"}.items()
    ),
    Named(
        "post /v1/sources key",
        "source_key",
        _said(key=..., scheme="stripe", mapping={"name": "type"}),
        OWN,
    ),
]
EVENTS = [
    Named(
        "post /v1/events/{public_id}/resend subscription",
        "subscription",
        _said(subscription=...),
        path={"public_id": "event"},
    ),
    Named(
        "post /v1/event-subscriptions/{key}/replay after",
        "event",
        _said(after=...),
        path={"key": "subscription"},
        never=NO_ID,
    ),
]
INBOX = [
    Named(f"post /v1/inbox/{{subject}}/{verb} items[]", "item", body, path=MINE, never=NO_ID)
    for verb in ("archive", "read", "seen")
    for body in (_said(items=[...]), lambda name, mine: {"items": [mine["item"], name]})
]
KEPT = [
    Named("post /v1/holds value", "run", _said(on="run", value=..., **WHY), never=NO_ID),
    Named("post /v1/holds value", "definition", _said(on="definition", value=..., **WHY), OWN),
    Named("post /v1/holds value", "recipient", _said(on="subject", value=..., **WHY), OWN),
    Named(
        "post /v1/retention/orders plan",
        "prune_plan",
        lambda name, mine: {"plan": mine["prune_plan"].split(".")[0] + "." + name.split(".")[1], **WHY},
        409,
        never=f"0.{0:032}",
    ),
    Named(
        "post /v1/definitions/{key}/migrate plan",
        "move_plan",
        _said(plan=..., **WHY),
        400,
        path={"key": "definition"},
    ),
]
RULES = [
    Named(
        f"{verb} {place} rules[].{member}",
        kind,
        _said(rules=[RULE | {member: ...}]),
        status,
        path={"external_id": "recipient"},
    )
    for verb in ("put", "patch")
    for place in ("/v1/preference-defaults", "/v1/recipients/{external_id}/preferences")
    for member, kind, status in (("category", "category", 400), ("workflow", "definition", OWN))
]
SENDING = [
    Named("post /v1/recipients recipients[].id", "recipient", _said(recipients=[{"id": ...}]), OWN),
    Named("post /v1/recipient-search address", "address", _said(address=...), 200, never="nobody@example.com"),
    Named("post /v1/deliveries/search address", "address", _said(address=...), 200, never="nobody@example.com"),
    Named("post /v1/suppressions/search address", "address", _said(address=...), 200, never="nobody@example.com"),
    Named("put /v1/sending-rules caps[].category", "category", _said(caps=[CAP | {"category": ...}]), 400),
    Named(
        "put /v1/templates/{key} layout",
        "layout",
        _said(channel="email", subject="Hello", text="Hello", layout=...),
        400,
        path={"key": "template"},
    ),
    Named(
        "post /v1/templates/{key}/test to",
        "recipient",
        _said(channel="in_app", to=...),
        OWN,
        path={"key": "template"},
    ),
]
HTTP = {"key": "call", "kind": "http", "method": "POST", "url": "https://example.com/"}
TELL = {"key": "tell", "kind": "deliver", "channel": "in_app", "template": "hello"}
MAIL = TELL | {"channel": "email", "to": {"const": "ada@example.com"}}
TEXT = TELL | {"channel": "sms", "to": {"const": "+15550100"}}
HOOK = {"key": "tell", "kind": "deliver", "channel": "webhook"}
SECRET = {"headers": {"Authorization": {"secret": ...}}}
STEPS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "deliver category": ("category", TELL | {"category": ...}),
    "deliver template": ("template", MAIL | {"template": ...}),
    "deliver endpoint": ("endpoint", HOOK | {"endpoint": ...}),
    "deliver providers[]": ("provider", TEXT | {"providers": [...]}),
    "http headers.*.secret": ("secret", HTTP | SECRET),
    "http sign": ("secret", HTTP | {"sign": ...}),
}


def _with(step: Any) -> Body:
    return lambda name, mine: document("mine_too") | {"steps": [_put(step, name)]}


def _undone_by(step: Mapping[str, Any]) -> dict[str, Any]:
    undoing = {name: value for name, value in step.items() if name != "key"}
    return {"key": "reserve", "kind": "http", "method": "POST", "url": "https://example.com/", "compensate": undoing}


DEFINITIONS = [
    Named("definition category", "category", lambda name, mine: document("mine_too", category=name), 400),
    Named("definition key", "definition", lambda name, mine: document(name), OWN),
    *(Named(f"step_{member}", kind, _with(step), 400) for member, (kind, step) in STEPS.items()),
    *(Named(f"compensate_{member}", kind, _with(_undone_by(step)), 400) for member, (kind, step) in STEPS.items()),
    *(
        Named(f"{part}_deliver recipient.const", "recipient", body, OWN)
        for part, body in {
            "step": _with(TELL | {"recipient": {"const": ...}}),
            "compensate": _with(_undone_by(TELL | {"recipient": {"const": ...}})),
        }.items()
    ),
]
NAMED = [*RUNS, *BROADCASTS, *SCHEDULES, *SIGNALS, *EVENTS, *INBOX, *KEPT, *RULES, *SENDING, *DEFINITIONS]
