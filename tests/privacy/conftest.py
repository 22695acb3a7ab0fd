"""A subject about whom something lies in every store, and whoever looks for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from deliveries.models import InboxItem
from deliveries.services import Mark, mark_item
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import drain, publish, send, start
from tests.plugin import Servers
from workflows.services.turn import work_turn

JOURNEY: dict[str, Any] = {
    "key": "mention",
    "correlation": ["thread"],
    "start_on": {"signal": "mention.created", "subject": "data.user", "correlate": {"thread": "data.thread"}},
    "templates": {
        "note": {"title": "Hello {{ data.secret }}", "text": "Dear {{ data.secret }}"},
        "mail": {"subject": "To {{ data.secret }}", "text": "Dear {{ data.secret }}"},
    },
    "steps": [
        {"key": "tell", "kind": "deliver", "channel": "in_app", "template": "note", "data": {"s": "data.secret"}},
        {"key": "mail", "kind": "deliver", "channel": "email", "template": "mail"},
        {
            "key": "unread",
            "kind": "wait",
            "for": "P2D",
            "signals": [
                {"name": "thread.closed", "match": {"thread": "run.correlation.thread"}, "then": "complete"},
                {
                    "name": "user.paid",
                    "when": {"path": "signal.data.secret", "eq": "never"},
                    "match": {"thread": "run.correlation.thread"},
                },
            ],
        },
    ],
}


@dataclass(frozen=True)
class Known:
    """What a subject is called, and what must not be found."""

    tenant: Tenant
    subject: str
    secret: str
    run_id: int

    @property
    def thread(self) -> str:
        return f"thread-{self.secret}"


@pytest.fixture
def make_known(smtp_sink: Any) -> Callable[..., Known]:
    """`make_known(tenant, subject)` walks a journey that leaves something of the subject everywhere."""

    def make(tenant: Tenant, subject: str, secret: str) -> Known:
        publish(tenant, JOURNEY)
        data = {"user": subject, "secret": secret, "email": f"{secret}@example.com", "thread": f"thread-{secret}"}
        send(tenant, "mention.created", data=data)  # starts a run, and names no subject itself
        run_id = start(tenant, "mention", subject, data=data, correlation={"thread": f"thread-{secret}"})
        _walk(tenant)
        send(tenant, "user.paid", correlation={"thread": f"thread-{secret}"}, data={"secret": secret})  # is refused
        send(tenant, "user.seen", subject=subject, data={"secret": secret})  # is for nobody
        with tenant_scope(tenant.pk):
            item = InboxItem.objects.filter(subject=subject).first()
        assert item is not None
        mark_item(tenant_id=tenant.pk, subject=subject, item=item.public_id, mark=Mark.SEEN)
        drain(tenant)
        return Known(tenant, subject, secret, run_id)

    return make


def _walk(tenant: Tenant) -> None:
    """Let the engine and the senders do all that is due."""
    while drain(tenant) or work_turn(tenant_id=tenant.pk):
        pass


def tables(servers: Servers) -> dict[str, str]:
    """Every row of every table as text, by table, as a superuser reads it."""
    with servers.postgres.connect() as owner:
        names = [
            name for (name,) in owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        ]
        return {
            name: "\n".join(row for (row,) in owner.execute(f'SELECT t::text FROM "{name}" t').fetchall())  # noqa: S608
            for name in names
        }


def tables_with(servers: Servers, *canaries: str) -> set[str]:
    """The tables that show any of these texts, plainly, in hex or in base64."""
    from base64 import b64encode

    forms = {form for one in canaries for form in (one, one.encode().hex(), b64encode(one.encode()).decode()[:-3])}
    return {name for name, text in tables(servers).items() if any(form in text for form in forms)}
