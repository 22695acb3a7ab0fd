"""A tenant that has one of everything that a body can name, each under a name that only it has."""

import uuid
from dataclasses import dataclass
from typing import Any

from rest_framework.test import APIClient

from deliveries.broadcasts.turn import broadcast_turn
from deliveries.models import Suppression
from deliveries.recipients.forms import digests_for
from tenants.models import Tenant
from tenants.models.api_key import Scope
from tenants.scope import tenant_scope
from tenants.services import create_api_key, create_tenant
from tests.journeys import drain
from workflows.heads.signing import sign_heads

Names = dict[str, Any]
WORDS = {"channel": "email", "subject": "Hello", "text": "Hello", "html": "<p>Hello</p>"}
CHANNELS = {"email": {"subject": "Hello", "text": "Hello"}, "hello": {"text": "Hello"}}


@dataclass(frozen=True)
class Party:
    """A tenant that has everything, what it has, and how it speaks."""

    tenant: Tenant
    names: Names
    client: APIClient

    def ask(self, verb: str, path: str, body: Any, media: str = "") -> Any:
        """The answer to a body."""
        return getattr(self.client, verb)(path, body, **({"content_type": media} if media else {}))


def make_party(prefix: str) -> Party:
    """A new tenant with everything, under names that begin with `prefix`."""
    tenant, client = create_tenant(slug=f"t-{uuid.uuid4().hex[:20]}"), APIClient(raise_request_exception=False)
    token = create_api_key(tenant_id=tenant.pk, name="sweep", scopes=Scope.values).token
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return Party(tenant, furnish(client, tenant, prefix), client)


def furnish(client: APIClient, tenant: Tenant, prefix: str) -> Names:
    """The names of all that the tenant now has, by what it is. Keys, subjects and values begin with `prefix`."""
    keys = ("category", "definition", "endpoint", "layout", "provider", "recipient", "schedule", "secret", "segment")
    names: Names = {kind: f"{prefix}_{kind}" for kind in (*keys, "subscription", "template", "draft_key")}
    _stored(client, names)
    _published(client, names["definition"], "P90D", "P91D")
    names["address"] = _written_to(client, tenant, f"{prefix}@example.com")
    names |= {
        "value": f"{prefix}-value",
        "own_value": f"{prefix}-own-value",
        "idempotency_key": f"{prefix}-start",
        "another_key": f"{prefix}-again",
    }
    names |= {"external_id": f"{prefix}-signal", "waiting_on": f"{prefix}.said", "source_key": f"{prefix}_source"}
    names |= _moving(client, tenant, names)
    names |= _planned(client, names)
    return names


def _stored(client: APIClient, names: Names) -> None:
    """What is put under a key."""
    stored: dict[str, Any] = {
        f"categories/{names['category']}": {"name": "Of one"},
        f"endpoints/{names['endpoint']}": {"url": "https://example.com/hook"},
        f"event-subscriptions/{names['subscription']}": {"url": "https://example.com/events"},
        f"providers/{names['provider']}": {
            "kind": "twilio",
            "config": {"account_sid": "AC1", "from": "+1555"},
            "credentials": {"auth_token": "token"},
        },
        f"recipients/{names['recipient']}": {"attributes": {"of": names["recipient"]}},
        f"retention/policies/{'cancelled'}": {"days": 30},
        f"secrets/{names['secret']}": {"value": "whsec_" + "c2VjcmV0" * 6},
        f"segments/{names['segment']}": {
            "name": "Of one",
            "condition": {"path": "recipient.attributes.of", "eq": names["recipient"]},
        },
        f"templates/{names['template']}": WORDS,
        f"templates/{names['template']}?": {"channel": "in_app", "subject": "Hello", "text": "Hello"},
        f"templates/{names['layout']}": {
            "channel": "email",
            "is_layout": True,
            "text": "{{ content }}",
            "html": "<p>{{ content }}</p>",
        },
    }
    for place, body in stored.items():
        made(client.put(f"/v1/{place}", body))


def document(key: str, **more: Any) -> dict[str, Any]:
    """A definition that fills an inbox and waits."""
    said = key.partition("_")[0] + ".said"
    waits = {"key": "rest", "kind": "wait", "for": "P30D", "signals": [{"name": said}]}
    tells = {"key": "tell", "kind": "deliver", "channel": "in_app", "template": "hello"}
    return {
        "key": key,
        "correlation": ["order"],
        "templates": {"hello": {"subject": "Hello", "text": "Hello"}},
        "steps": [tells, waits],
        **more,
    }


def _published(client: APIClient, key: str, *deadlines: str) -> None:
    for version, deadline in enumerate(deadlines, start=1):
        made(client.post("/v1/definitions", document(key, deadline=deadline)))
        made(client.post(f"/v1/definitions/{key}/versions/{version}/publish"))


def _written_to(client: APIClient, tenant: Tenant, address: str) -> str:
    """An address that a mail was planned for, which is not sent any more, that somebody has, and that is left alone."""
    made(client.put("/v1/recipients/postman", {"addresses": {"email": address}}))
    mail = {"key": "mail", "kind": "deliver", "channel": "email", "template": "hello", "to": {"const": address}}
    made(client.post("/v1/definitions", document("mailing", steps=[mail])))
    made(client.post("/v1/definitions/mailing/versions/1/publish"))
    [run] = made(client.post("/v1/runs", {"workflow": "mailing", "subject": address}))["runs"]
    drain(tenant)
    made(client.post(f"/v1/runs/{run['id']}/cancel", {"reason": "a test"}))
    with tenant_scope(tenant.pk) as scope:
        [digest, *_] = digests_for(tenant.pk, address)
        where = {"channel": "email", "recipient_digest": digest, "subject": "postman"}
        Suppression.objects.create(tenant_id=tenant.pk, complained_at=scope.now, **where)
    return address


def _moving(client: APIClient, tenant: Tenant, names: Names) -> Names:
    """A run that waits, what it did, one that ended, a broadcast under way, one to be filled, a schedule, a source."""
    key, of = names["definition"], names["recipient"]
    started = [
        {"subject": of},
        {"subject": of},
        {"subject": of, "idempotency_key": names["idempotency_key"]},
        {"subject": of, "correlation": {"order": names["value"]}},
        {"subject": of, "correlation": {"order": names["own_value"]}, "idempotency_key": names["another_key"]},
    ]
    run, ended, *_ = made(client.post("/v1/runs", {"workflow": key, "runs": started}))["runs"]
    sent = made(client.post("/v1/broadcasts", {"workflow": key, "subjects": [of]}))["id"]
    token = made(client.post(f"/v1/broadcasts/{sent}/preview"))["token"]
    made(client.post(f"/v1/broadcasts/{sent}/start", {"token": token}))
    schedule = {"key": names["schedule"], "workflow": key, "expression": "0 9 * * 1", "subjects": [of]}
    made(client.post("/v1/schedules", schedule))
    source = made(
        client.post("/v1/sources", {"key": names["source_key"], "scheme": "stripe", "mapping": {"name": "type"}})
    )
    made(client.post("/v1/signals", {"name": "order.made", "subject": of, "external_id": names["external_id"]}))
    while broadcast_turn(tenant_id=tenant.pk) + drain(tenant):
        pass
    made(client.post(f"/v1/runs/{ended['id']}/cancel", {"reason": "a test"}))
    sign_heads(tenant_id=tenant.pk)
    return {
        "run": run["id"],
        "ended": ended["id"],
        "broadcast": sent,
        "file_broadcast": made(client.post("/v1/broadcasts", {"workflow": key}))["id"],
        "source": source["id"],
        "item": made(client.get(f"/v1/inbox/{of}"))["items"][0]["id"],
        "event": made(client.get("/v1/events"))["items"][0]["id"],
        "export": client.get(f"/v1/runs/{ended['id']}/export").getvalue(),
    }


def _planned(client: APIClient, names: Names) -> Names:
    """Plans that were looked at."""
    where = {"action": "cancel", "where": {"workflow": names["definition"]}, "dry_run": True}
    move = {"from_version": 1, "to_version": 2, "dry_run": True}
    return {
        "bulk_plan": made(client.post("/v1/runs/bulk", where))["plan"],
        "move_plan": made(client.post(f"/v1/definitions/{names['definition']}/migrate", move))["plan"],
        "prune_plan": made(client.get("/v1/retention/plan"))["plan"],
    }


def made(answer: Any) -> Any:
    """What an answer says that is no refusal."""
    assert answer.status_code < 300, answer.content
    return answer.json()
