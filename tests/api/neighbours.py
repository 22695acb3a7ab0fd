"""What one tenant has of everything, and how another asks for it: the tables that the tenancy sweep walks."""

import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from rest_framework.test import APIClient

from deliveries.models import Suppression
from signals_app.models import Signal
from tenants.models import Tenant
from tenants.scope import database_now, tenant_scope
from tests.journeys import drain
from workflows.heads.signing import sign_heads
from workflows.models import Run
from workflows.retention.pruning import carry_out

CANARY = "canary-of-the-neighbour"  # whoever it is; its subjects, names and words may be seen by itself
SAID = "canary-of-a-neighbours-payload"
KEY = "theirs"
INTAKE = {"name": "order.made", "subject": CANARY, "data": {"said": SAID}}
DOCUMENT: dict[str, Any] = {
    "key": KEY,
    "templates": {"hello": {"subject": "Hello", "text": f"Hello {CANARY}"}},
    "steps": [
        {"key": "tell", "kind": "deliver", "channel": "in_app", "template": "hello", "to": "run.subject"},
        {"key": "rest", "kind": "approval", "for": "P1D"},
    ],
}
COLLECTING: dict[str, Any] = {
    "key": "collecting",
    "steps": [{"key": "collect", "kind": "digest", "window": {"fixed": "P1D"}}],
}
SCHEDULE = {"key": KEY, "workflow": KEY, "expression": "0 9 * * 1", "subjects": [CANARY]}


def published(owner: APIClient, tenant: Tenant) -> str:
    """The key of a definition with two published versions."""
    for version, document in enumerate([DOCUMENT, DOCUMENT | {"deadline": "P90D"}], start=1):
        _made(owner.post("/v1/definitions", document))
        _made(owner.post(f"/v1/definitions/{KEY}/versions/{version}/publish"))
    return KEY


def run(owner: APIClient, tenant: Tenant) -> str:
    """A run that has filled an inbox and waits for an approval."""
    published(owner, tenant)
    [started] = _made(owner.post("/v1/runs", {"workflow": KEY, "subject": CANARY, "data": {"said": SAID}}))["runs"]
    drain(tenant)
    return str(started["id"])


def delivery(owner: APIClient, tenant: Tenant) -> str:
    """A delivery of that run."""
    run(owner, tenant)
    return str(_made(owner.get("/v1/deliveries"))["items"][0]["id"])


def item(owner: APIClient, tenant: Tenant) -> str:
    """An item in an inbox."""
    run(owner, tenant)
    return str(_made(owner.get(f"/v1/inbox/{CANARY}"))["items"][0]["id"])


def signal(owner: APIClient, tenant: Tenant) -> str:
    """A signal, routed."""
    _made(owner.post("/v1/signals", INTAKE))
    drain(tenant)
    with tenant_scope(tenant.pk):
        return str(Signal.objects.get(tenant_id=tenant.pk).public_id)


def source(owner: APIClient, tenant: Tenant) -> str:
    """A source of webhooks."""
    asked = {"key": KEY, "scheme": "stripe", "mapping": {"name": "type"}}
    return str(_made(owner.post("/v1/sources", asked))["id"])


def provider(owner: APIClient, tenant: Tenant) -> str:
    """A provider that posts reports."""
    return str(_made(owner.put(f"/v1/providers/{KEY}", PROVIDER))["id"])


def _put(place: str, body: Mapping[str, Any]) -> Callable[[APIClient, Tenant], str]:
    def put(owner: APIClient, tenant: Tenant) -> str:
        _made(owner.put(f"/v1/{place}/{KEY}", body))
        return KEY

    return put


def schedule(owner: APIClient, tenant: Tenant) -> str:
    """A schedule of the published definition."""
    published(owner, tenant)
    return str(_made(owner.post("/v1/schedules", SCHEDULE))["key"])


def event(owner: APIClient, tenant: Tenant) -> str:
    """An event of a subscription."""
    _made(owner.put(f"/v1/event-subscriptions/{KEY}", SUBSCRIPTION))
    run(owner, tenant)
    return str(_made(owner.get("/v1/events"))["items"][0]["id"])


def digest(owner: APIClient, tenant: Tenant) -> str:
    """A digest that collects."""
    _made(owner.post("/v1/definitions", COLLECTING))
    _made(owner.post(f"/v1/definitions/{COLLECTING['key']}/versions/1/publish"))
    _made(owner.post("/v1/runs", {"workflow": COLLECTING["key"], "subject": CANARY, "data": {"said": SAID}}))
    drain(tenant)
    return str(_made(owner.get("/v1/digests"))["items"][0]["id"])


def external(owner: APIClient, tenant: Tenant) -> str:
    """Work of others that was observed."""
    _made(owner.post(f"/v1/external/{KIND}/{KEY}", OBSERVED))
    return KEY


def hold(owner: APIClient, tenant: Tenant) -> str:
    """A legal hold on that run."""
    asked = HOLD | {"value": run(owner, tenant)}
    return str(_made(owner.post("/v1/holds", asked))["id"])


def head(owner: APIClient, tenant: Tenant) -> str:
    """A signed head that tells of that run."""
    run(owner, tenant)
    sign_heads(tenant_id=tenant.pk)
    return str(_made(owner.get("/v1/heads"))["items"][0]["id"])


def policy(owner: APIClient, tenant: Tenant) -> str:
    """What the policy is about."""
    _made(owner.put(f"/v1/retention/policies/{KEPT}", POLICY))
    return KEPT


def order(owner: APIClient, tenant: Tenant) -> str:
    """A prune that was ordered."""
    policy(owner, tenant)
    plan = _made(owner.get("/v1/retention/plan"))["plan"]
    return str(_made(owner.post("/v1/retention/orders", REASON | {"plan": plan}))["id"])


def tombstone(owner: APIClient, tenant: Tenant) -> str:
    """What stays of that run, pruned."""
    public_id = run(owner, tenant)
    _made(owner.post(f"/v1/runs/{public_id}/cancel", REASON))
    with tenant_scope(tenant.pk):
        Run.objects.for_tenant(tenant.pk).update(finished_at=database_now() - timedelta(days=POLICY["days"] + 1))
    ordered = order(owner, tenant)
    carry_out(tenant_id=tenant.pk, public_id=uuid.UUID(ordered))
    return public_id


def recipient(owner: APIClient, tenant: Tenant) -> str:
    """A recipient who refuses mail."""
    _made(owner.put(f"/v1/recipients/{KEY}", RECIPIENT))
    _made(owner.put(f"/v1/recipients/{KEY}/preferences", RULES))
    return KEY


def broadcast(owner: APIClient, tenant: Tenant) -> str:
    """A draft with a target."""
    published(owner, tenant)
    return str(_made(owner.post("/v1/broadcasts", {"workflow": KEY, "name": CANARY, "subjects": [CANARY]}))["id"])


def sticky_cancel(owner: APIClient, tenant: Tenant) -> str:
    """A cancel that waits for runs."""
    asked = REASON | {"correlation": {"order": CANARY}, "sticky": True, "ttl": "P1D"}
    return str(_made(owner.post("/v1/runs/cancel-by-key", asked))["sticky"]["id"])


def provider_test(owner: APIClient, tenant: Tenant) -> str:
    """A test of a provider."""
    _made(owner.put(f"/v1/providers/{KEY}", PROVIDER))
    return str(_made(owner.post(f"/v1/providers/{KEY}/test", {"to": NUMBER}))["run_id"])


def suppression(owner: APIClient, tenant: Tenant) -> str:
    """An address of which somebody complained."""
    where = {"channel": "email", "recipient_digest": "a" * 64, "recipient_masked": "a***@example.com"}
    with tenant_scope(tenant.pk) as scope:
        said = {"subject": CANARY, "complained_at": scope.now}
        return str(Suppression.objects.create(tenant_id=tenant.pk, **where, **said).public_id)


def _made(answer: Any) -> Any:
    assert answer.status_code < 300, answer.content
    return answer.json()


KIND = "bank_transfer"
OBSERVED = {"status": "succeeded"}
CATEGORY = {"name": CANARY}
RECIPIENT = {"addresses": {"email": "canary@example.com"}, "attributes": {"said": CANARY}}
RULES = {"rules": [{"channel": "email", "allowed": False}]}
ENDPOINT = {"url": "https://example.com/hook"}
HOLD = {"on": "run", "reason": "a test"}
KEPT = "cancelled"
POLICY = {"days": 30}
SUBSCRIPTION = {"url": "https://example.com/events", "description": CANARY}
NUMBER = "+4366012345678"
PROVIDER = {
    "kind": "twilio",
    "config": {"account_sid": "AC1", "from": f"whatsapp:{CANARY}"},
    "credentials": {"auth_token": f"{SAID}-token"},
}
SECRET = {"value": f"{SAID}-secret"}
SEGMENT = {"name": CANARY, "condition": {"path": "recipient.attributes.said", "eq": CANARY}}
TEMPLATE = {"channel": "in_app", "subject": "Hello", "text": CANARY}

OWNED: Mapping[str, Callable[[APIClient, Tenant], str]] = {
    "hooks": source,
    "hooks/providers": provider,
    "broadcasts": broadcast,
    "definitions": published,
    "deliveries": delivery,
    "digests": digest,
    "endpoints": _put("endpoints", ENDPOINT),
    "event-subscriptions": _put("event-subscriptions", SUBSCRIPTION),
    "events": event,
    "external": external,
    "heads": head,
    "holds": hold,
    "inbox": item,
    "categories": _put("categories", CATEGORY),
    "recipients": recipient,
    "retention/orders": order,
    "retention/policies": policy,
    "providers": _put("providers", PROVIDER),
    "provider-tests": provider_test,
    "runs": run,
    "schedules": schedule,
    "secrets": _put("secrets", SECRET),
    "segments": _put("segments", SEGMENT),
    "signals": signal,
    "sources": source,
    "sticky-cancels": sticky_cancel,
    "subjects": item,
    "suppressions": suppression,
    "templates": _put("templates", TEMPLATE),
    "tombstones": tombstone,
}
"""By the beginning of an address, before the first name in it: makes the owner's object and returns its id or key."""

DECISION = {"actor": "ada"}
REASON = {"reason": "a test"}
HAND = {"step": "tell", "worker": "ada"}
PAST = {
    "step": "tell",
    "number": 1,
    "outcome": "delivered",
    "started_at": "2026-01-01T00:00:00Z",
    "finished_at": "2026-01-01T00:00:00Z",
}
FOUND_OUT = {"outcome": "delivered", "reason": "a test"}

BODIES: Mapping[str, Any] = {
    "post /hooks/{public_id}": {"type": "order.made"},
    "post /hooks/providers/{public_id}": {},
    "post /v1/broadcasts/{public_id}/cancel": REASON,
    "post /v1/broadcasts/{public_id}/preview": {},
    "post /v1/broadcasts/{public_id}/start": {"token": "0.0"},
    "put /v1/broadcasts/{public_id}/targets": {},
    "put /v1/categories/{key}": CATEGORY | {"name": "mine"},
    "put /v1/recipients/{external_id}": RECIPIENT | {"attributes": {"said": "mine"}},
    "put /v1/recipients/{external_id}/preferences": {"rules": []},
    "patch /v1/recipients/{external_id}/preferences": {"rules": []},
    "put /v1/definitions/{key}": DOCUMENT,
    "post /v1/definitions/{key}/migrate": {"from_version": 1, "to_version": 2, "dry_run": True},
    "put /v1/definitions/{key}/switch": REASON | {"level": "all_off"},
    "post /v1/definitions/{key}/versions/{version}/publish": {},
    "post /v1/definitions/{key}/versions/{version}/retire": {},
    "post /v1/deliveries/{delivery}/bounce": {"code": "5.1.1"},
    "post /v1/deliveries/{delivery}/resend": REASON,
    "post /v1/deliveries/{delivery}/settle": FOUND_OUT,
    "post /v1/digests/{public_id}/flush": REASON,
    "delete /v1/digests/{public_id}/items/{position}": REASON,
    "put /v1/endpoints/{key}": ENDPOINT,
    "post /v1/endpoints/{key}/rotate-secret": {},
    "put /v1/event-subscriptions/{key}": SUBSCRIPTION,
    "delete /v1/event-subscriptions/{key}": {},
    "post /v1/event-subscriptions/{key}/ping": {},
    "post /v1/event-subscriptions/{key}/replay": {"from": "2026-01-01T00:00:00Z"},
    "post /v1/event-subscriptions/{key}/rotate-secret": {},
    "post /v1/events/{public_id}/resend": {"subscription": KEY},
    "post /v1/external/{kind}/{external_id}": OBSERVED,
    "post /v1/holds/{public_id}/release": {},
    "post /v1/inbox/{subject}/{item}/archive": {},
    "post /v1/inbox/{subject}/{item}/read": {},
    "post /v1/inbox/{subject}/{item}/seen": {},
    "post /v1/inbox/{subject}/archive": {"all": True},
    "post /v1/inbox/{subject}/read": {"all": True},
    "post /v1/inbox/{subject}/seen": {"all": True},
    "post /v1/inbox/{subject}/tokens": {},
    "put /v1/retention/policies/{what}": POLICY,
    "delete /v1/retention/policies/{what}": {},
    "put /v1/providers/{key}": PROVIDER,
    "delete /v1/providers/{key}": {},
    "post /v1/providers/{key}/test": {"to": NUMBER},
    "patch /v1/runs/{public_id}": {"deadline_at": "2126-01-01T00:00:00Z"},
    "post /v1/runs/{public_id}/approve": DECISION,
    "post /v1/runs/{public_id}/attempts": HAND,
    "post /v1/runs/{public_id}/attempts/complete": HAND | {"fence": 1, "outcome": "delivered"},
    "post /v1/runs/{public_id}/attempts/fail": HAND | {"fence": 1, "error": "broken"},
    "post /v1/runs/{public_id}/attempts/record": PAST,
    "post /v1/runs/{public_id}/attempts/renew": HAND | {"fence": 1},
    "post /v1/runs/{public_id}/reject": DECISION,
    "post /v1/runs/{public_id}/cancel": REASON,
    "post /v1/runs/{public_id}/compensate": REASON,
    "post /v1/runs/{public_id}/notes": {"note": "a test"},
    "post /v1/runs/{public_id}/pause": REASON,
    "post /v1/runs/{public_id}/replay": REASON,
    "post /v1/runs/{public_id}/resume": REASON,
    "post /v1/runs/{public_id}/settle": FOUND_OUT | {"step": "tell"},
    "post /v1/runs/{public_id}/wake": REASON,
    "patch /v1/schedules/{key}": {"enabled": False},
    "delete /v1/schedules/{key}": {},
    "put /v1/segments/{key}": SEGMENT | {"name": "mine"},
    "delete /v1/segments/{key}": {},
    "put /v1/secrets/{key}": {"value": "mine-and-long-enough"},
    "delete /v1/secrets/{key}": {},
    "patch /v1/sources/{public_id}": {"enabled": False},
    "delete /v1/sources/{public_id}": {},
    "post /v1/sources/{public_id}/rotate": {},
    "delete /v1/sticky-cancels/{public_id}": {},
    "delete /v1/subjects/{subject}": None,
    "delete /v1/suppressions/{public_id}": REASON,
    "put /v1/templates/{key}": TEMPLATE | {"text": "mine"},
    "post /v1/templates/{key}/preview": {"channel": "in_app"},
    "post /v1/templates/{key}/publish": {"channel": "in_app"},
    "post /v1/templates/{key}/retire": {"channel": "in_app"},
    "post /v1/templates/{key}/test": {"channel": "in_app", "to": "ada"},
}
"""A valid body for each write."""

QUERIES: Mapping[str, str] = {
    "get /v1/definitions/{key}/diff": "?from=1&to=1",
    "get /v1/inbox/{subject}/stream": "?seconds=0",
    "get /v1/runs/{public_id}/state": "?seq=1",
    "get /v1/templates/{key}/versions": "?channel=in_app",
}
"""What a read cannot do without."""

OWN_NAMES = {
    "get /v1/recipients/{external_id}/history",
    "get /v1/recipients/{external_id}/preferences",
    "patch /v1/recipients/{external_id}/preferences",
    "put /v1/categories/{key}",
    "put /v1/recipients/{external_id}",
    "put /v1/recipients/{external_id}/preferences",
    "delete /v1/subjects/{subject}",
    "get /v1/inbox/{subject}",
    "get /v1/inbox/{subject}/counts",
    "get /v1/inbox/{subject}/stream",
    "post /v1/inbox/{subject}/archive",
    "post /v1/inbox/{subject}/read",
    "post /v1/inbox/{subject}/seen",
    "post /v1/inbox/{subject}/tokens",
    "get /v1/subjects/{subject}/export",
    "post /v1/external/{kind}/{external_id}",
    "put /v1/definitions/{key}",
    "put /v1/endpoints/{key}",
    "put /v1/retention/policies/{what}",
    "put /v1/event-subscriptions/{key}",
    "put /v1/providers/{key}",
    "put /v1/secrets/{key}",
    "put /v1/segments/{key}",
    "put /v1/templates/{key}",
}
"""Every tenant has names of its own here: asking makes or shows the asker's object, and the neighbour's stays."""

BY_SIGNATURE = {"post /hooks/{public_id}", "post /hooks/providers/{public_id}"}
"""No API key is read here: the secret of the source tells who posts, whichever tenant that is."""


def kind_of(path: str) -> str:
    """The beginning of an address, before the first name in it: a key of `OWNED`."""
    return path.removeprefix("/v1/").strip("/").split("/{")[0]


def names(name: str) -> dict[str, Any]:
    """What stands for each name that an address may hold, when the object asked for is called `name`."""
    named = dict.fromkeys(("public_id", "key", "delivery", "item", "external_id", "what"), name)
    return {**named, "subject": CANARY, "version": 1, "position": 1, "kind": KIND}


def missing(kind: str) -> str:
    """An id or key that nobody has, of the kind that the beginning of an address names."""
    by_key = {
        "definitions",
        "endpoints",
        "event-subscriptions",
        "external",
        "retention/policies",
        "schedules",
        "secrets",
        "segments",
        "subjects",
        "templates",
    }
    by_id = kind not in by_key
    return str(uuid.uuid4()) if by_id else f"nobody_{uuid.uuid4().hex[:12]}"
