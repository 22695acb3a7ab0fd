"""Operators, and tenants furnished with a row of every kind."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from deliveries.broadcasts.making import NewBroadcast, make_broadcast
from deliveries.broadcasts.segments import put_segment
from deliveries.models import (
    Broadcast,
    Category,
    Delivery,
    Endpoint,
    Preference,
    Provider,
    Recipient,
    Segment,
    SendingRules,
    Suppression,
    Template,
)
from deliveries.preferences.categories import put_category
from deliveries.preferences.storing import put_preferences
from deliveries.recipients.upsert import put_recipient
from deliveries.services.endpoints import put_endpoint
from deliveries.services.providers import put_provider
from deliveries.services.templates import put_template
from deliveries.timing.storing import put_sending_rules
from signals_app.models import Signal, SignalSource
from signals_app.services import NewSignal, accept_signals
from signals_app.services.sources import create_source
from signals_app.subjects.erase import erase_subject
from tenants.models import ApiKey, Membership, Role, Tenant
from tenants.scope import tenant_scope
from tenants.services import create_api_key, create_tenant, set_limit, set_role
from tenants.services.secrets import put_secret
from tests.leaks import CANARY
from workflows.events.subscriptions import put_subscription
from workflows.heads.signing import sign_heads
from workflows.models import (
    Definition,
    Digest,
    DigestItem,
    Event,
    EventSubscription,
    ExternalWork,
    LegalHold,
    PruneOrder,
    RetentionPolicy,
    Run,
    Schedule,
    StepRun,
    StickyCancel,
    Tombstone,
    TraceHead,
    Wait,
)
from workflows.retention.holds import place_hold
from workflows.retention.plan import plan_retention
from workflows.retention.policies import set_policy
from workflows.retention.pruning import carry_out, order_prune
from workflows.retention.tombstones import tombstone_of
from workflows.services.advance import advance_due
from workflows.services.cancel_by_key import Key, cancel_by_key
from workflows.services.control import cancel_runs
from workflows.services.definitions import ensure_definition
from workflows.services.external import observe_external
from workflows.services.route import route_signals
from workflows.services.schedules import create_schedule
from workflows.services.start import NewRun, start_runs
from workflows.states import Cause


def journey(key: str) -> dict[str, Any]:
    """Tell in the app, wait a day for `paid`, then tell again."""
    return {
        "key": key,
        "correlation": ["invoice_id"],
        "templates": {"note": {"title": "Pay", "text": "Please pay."}},
        "steps": [
            {"key": "tell", "kind": "deliver", "channel": "in_app", "template": "note"},
            {
                "key": "grace",
                "kind": "wait",
                "for": "P1D",
                "signals": [
                    {"name": "paid", "match": {"invoice_id": "run.correlation.invoice_id"}, "then": "complete"}
                ],
            },
            {"key": "again", "kind": "deliver", "channel": "in_app", "template": "note"},
        ],
    }


def settle(tenant: Tenant) -> None:
    """Let the engine do all that is due."""
    while route_signals(tenant_id=tenant.pk) + advance_due(tenant_id=tenant.pk):
        pass


@dataclass(frozen=True)
class Furnished:
    """A tenant with a row of every kind; `mark` is in each of their names."""

    tenant: Tenant
    mark: str
    run: Run
    wait: Wait
    signal: Signal
    definition: Definition
    delivery: Delivery
    source: SignalSource
    template: Template
    endpoint: Endpoint
    provider: Provider
    schedule: Schedule
    subscription: EventSubscription
    event: Event
    key: ApiKey
    policy: RetentionPolicy
    order: PruneOrder
    hold: LegalHold
    tombstone: Tombstone
    head: TraceHead
    external: ExternalWork
    digest: Digest
    sticky: StickyCancel
    people: tuple[Any, ...]

    @property
    def rows(self) -> list[Any]:
        """Every row that has a page."""
        return [
            self.run,
            self.signal,
            self.definition,
            self.delivery,
            self.source,
            self.template,
            self.endpoint,
            self.provider,
            self.schedule,
            self.subscription,
            self.event,
            self.key,
            self.policy,
            self.order,
            self.hold,
            self.tombstone,
            self.head,
            self.external,
            self.digest,
            self.sticky,
            *self.people,
        ]


def keep_something(tenant: Tenant, definition: Definition, mark: str) -> dict[str, Any]:
    """A policy, an order, a hold and the tombstone of a run that was pruned."""
    new = NewRun(subject=f"{mark}_past", correlation={"invoice_id": f"{mark}_0"})
    [old] = start_runs(tenant_id=tenant.pk, definition_key=definition.key, runs=[new])
    asked = {"cause": Cause.OPERATOR, "cause_ref": f"{mark}_olga", "reason": "old"}
    cancel_runs(tenant_id=tenant.pk, public_ids=[old.public_id], **asked)
    with tenant_scope(tenant.pk) as scope:
        Run.objects.filter(pk=old.run_id).update(finished_at=scope.now - timedelta(days=9))
    policy = set_policy(tenant_id=tenant.pk, what="cancelled", days=7, changed_by=f"{mark}_olga")
    hold = place_hold(tenant_id=tenant.pk, on="subject", value=f"{mark}_anna", reason="court", placed_by=f"{mark}_olga")
    plan = plan_retention(tenant_id=tenant.pk).token
    ordered = order_prune(tenant_id=tenant.pk, plan=plan, reason="old", ordered_by=f"{mark}_olga")
    order = carry_out(tenant_id=tenant.pk, public_id=ordered.public_id)
    stone = tombstone_of(tenant_id=tenant.pk, public_id=old.public_id)
    observe_external(tenant_id=tenant.pk, kind=f"{mark}_transfer", external_id=f"{mark}_1", status="running")
    key = Key(correlation={"invoice_id": f"{mark}_later"})
    wait = {"cause": Cause.OPERATOR, "cause_ref": f"{mark}_olga", "reason": "old", "sticky_for": timedelta(days=1)}
    sticky = cancel_by_key(tenant_id=tenant.pk, key=key, **wait).sticky
    with tenant_scope(tenant.pk):
        more = {"external": ExternalWork.objects.get(tenant_id=tenant.pk), "sticky": sticky}
    [more["head"]] = sign_heads(tenant_id=tenant.pk)
    return more | {"policy": policy, "order": order, "hold": hold, "tombstone": stone}


def collect_something(run: Run, mark: str) -> Digest:
    """A digest that is closed, with an item of the run."""
    times = {"created_at": run.created_at, "closes_at": run.created_at, "closed_at": run.created_at}
    digest = Digest.objects.create(
        tenant_id=run.tenant_id, definition_key=f"{mark}_flow", step="collect", status="closed", count=1, **times
    )
    work = StepRun.objects.filter(tenant_id=run.tenant_id, run_id=run.pk).latest("id")
    at = run.created_at
    said = {"position": 1, "visit": 1, "subject": f"{mark}_anna", "joined_at": at, "told_at": at}
    DigestItem.objects.create(tenant_id=run.tenant_id, digest=digest, run=run, step_run=work, **said)
    return digest


def left_alone(tenant: Tenant, mark: str) -> Suppression:
    """An address of which somebody complained."""
    said = {"subject": f"{mark}_anna", "lifted_why": "", "complained_at": tenant.created_at}
    address = {"channel": "email", "recipient_digest": "a" * 64, "recipient_masked": "a***@example.com"}
    return Suppression.objects.create(tenant_id=tenant.pk, **address, **said)


def furnish(mark: str) -> Furnished:
    """A fresh tenant with a waiting run, and a row of every other kind."""
    tenant = create_tenant(slug=f"{mark}-{uuid.uuid4().hex[:8]}")
    definition = ensure_definition(tenant_id=tenant.pk, document=journey(f"{mark}_flow"))
    events = f"https://{mark}.example.com/"
    told = put_subscription(tenant_id=tenant.pk, key=f"{mark}_crm", url=events, enabled=False).subscription
    new = NewRun(subject=f"{mark}_anna", correlation={"invoice_id": f"{mark}_7"})
    start_runs(tenant_id=tenant.pk, definition_key=definition.key, runs=[new])
    odd = NewSignal(name="odd.one", subject=f"{mark}_anna", data={"secret": CANARY})
    accept_signals(tenant_id=tenant.pk, signals=[odd])
    settle(tenant)
    erase_subject(tenant_id=tenant.pk, subject=f"{mark}_gone", cause="operator", cause_ref=f"{mark}_olga")
    put_template(tenant_id=tenant.pk, key=f"{mark}_note", channel="in_app", text="Hello")
    put_category(tenant_id=tenant.pk, key=f"{mark}_news")
    put_recipient(tenant_id=tenant.pk, external_id=f"{mark}_anna", said={"addresses": {"email": "a@example.com"}})
    rule = {"category": f"{mark}_news", "allowed": False}
    put_preferences(tenant_id=tenant.pk, subject=f"{mark}_anna", rules=[rule], said_by="api", replace=True)
    put_segment(tenant_id=tenant.pk, key=f"{mark}_all", condition={"path": "recipient.id", "exists": True})
    whom = NewBroadcast(workflow=definition.key, name=f"{mark} cast", subjects=[f"{mark}_anna"])
    make_broadcast(tenant_id=tenant.pk, new=whom, made_by=f"{mark}_olga")
    put_sending_rules(tenant_id=tenant.pk, quiet_hours=[{"from": "22:00", "to": "07:00"}], caps=[])
    provider, _ = put_provider(
        tenant_id=tenant.pk,
        key=f"{mark}_team",
        kind="teams",
        credentials={"url": "https://example.com/canary-of-a-hook"},
    )
    put_endpoint(tenant_id=tenant.pk, key=f"{mark}_pager", url=f"https://{mark}.example.com/")
    create_source(
        tenant_id=tenant.pk, key=f"{mark}_shop", scheme="github", mapping={"name": "type", "external_id": "id"}
    )
    schedule = create_schedule(
        tenant_id=tenant.pk,
        key=f"{mark}_daily",
        definition_key=definition.key,
        expression="0 9 * * *",
        subjects=[f"{mark}_anna"],
    )
    put_secret(tenant_id=tenant.pk, key=f"{mark}_token", value="canary-of-a-secret")
    set_limit(tenant_id=tenant.pk, kind="live_runs", amount=1000, changed_by=f"{mark}_olga")
    kept = keep_something(tenant, definition, mark)
    key = create_api_key(tenant_id=tenant.pk, name=f"{mark} key", scopes=["runs:read"]).row
    with tenant_scope(tenant.pk):
        run = Run.objects.get()
        return Furnished(
            tenant=tenant,
            mark=mark,
            run=run,
            digest=collect_something(run, mark),
            wait=Wait.objects.get(),
            signal=Signal.objects.get(),
            definition=definition,
            delivery=Delivery.objects.get(),
            source=SignalSource.objects.get(),
            template=Template.objects.get(),
            endpoint=Endpoint.objects.get(),
            people=(
                Category.objects.get(),
                SendingRules.objects.get(),
                Broadcast.objects.get(),
                Segment.objects.get(),
                Preference.objects.get(),
                Recipient.objects.get(),
                left_alone(tenant, mark),
            ),
            provider=provider,
            schedule=schedule,
            subscription=told,
            event=Event.objects.filter(tenant_id=tenant.pk).latest("id"),
            key=key,
            **kept,
        )


@pytest.fixture
def mine() -> Furnished:
    """A furnished tenant."""
    return furnish("mine")


@pytest.fixture
def theirs() -> Furnished:
    """Another, whose rows must not be seen."""
    return furnish("theirs")


@pytest.fixture
def operator() -> Callable[..., Client]:
    """`operator(tenant, …, role=…)` is a signed-in browser of a fresh account with that role in these tenants."""

    def sign_in(*tenants: Tenant, role: Role = Role.ADMIN, superuser: bool = False) -> Client:
        name = f"op-{uuid.uuid4().hex[:12]}"
        user = get_user_model().objects.create(username=name, is_staff=True, is_superuser=superuser)
        for tenant in tenants:
            set_role(tenant_id=tenant.pk, user_id=user.pk, role=role)
        client = Client()
        client.force_login(user)
        client.username = name  # type: ignore[attr-defined]
        return client

    return sign_in


def membership_of(client: Client) -> Membership:
    """The membership row of a signed-in operator with one tenant."""
    from tenants.services import memberships_of_user

    user = get_user_model().objects.get(username=client.username)  # type: ignore[attr-defined]
    (tenant_id,) = memberships_of_user(user.pk)
    with tenant_scope(tenant_id):
        return Membership.objects.select_related("user", "tenant").get(user=user)
