"""Fixtures: a definition to broadcast, and a tenant's broadcasts carried on in this process."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from rest_framework.test import APIClient

from deliveries.broadcasts.turn import broadcast_turn
from deliveries.models import Broadcast, BroadcastChunk
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import publish
from workflows.models import Run

NEWS: dict[str, Any] = {
    "key": "news",
    "correlation": ["campaign"],
    "data_schema": {
        "type": "object",
        "properties": {"headline": {"type": "string"}, "amount": {"type": "number"}, "vip": {"type": "boolean"}},
        "required": ["headline"],
    },
    "templates": {"hello": {"subject": "Hello", "text": "{{ data.headline }}"}},
    "steps": [
        {"key": "tell", "kind": "deliver", "channel": "in_app", "template": "hello"},
        {"key": "rest", "kind": "wait", "for": "P1D"},
    ],
}
HEADLINE = {"headline": "Hello"}


class Sender:
    """One tenant that broadcasts."""

    def __init__(self, tenant: Tenant, rest: APIClient) -> None:
        self.tenant, self.rest = tenant, rest

    def make(self, **asked: Any) -> dict[str, Any]:
        """A draft."""
        answer = self.rest.post("/v1/broadcasts", {"workflow": "news", **asked})
        assert answer.status_code == 201, answer.content
        return dict(answer.json())

    def upload(self, id_: str, file: str | bytes, content_type: str = "text/csv", **headers: Any) -> Any:
        """The answer to a file of targets."""
        return self.rest.put(f"/v1/broadcasts/{id_}/targets", file, content_type=content_type, **headers)

    def preview(self, id_: str) -> dict[str, Any]:
        """What starting it would do."""
        answer = self.rest.post(f"/v1/broadcasts/{id_}/preview")
        assert answer.status_code == 200, answer.content
        return dict(answer.json())

    def start(self, id_: str, **asked: Any) -> None:
        """Look, and begin."""
        answer = self.rest.post(f"/v1/broadcasts/{id_}/start", {"token": self.preview(id_)["token"], **asked})
        assert answer.status_code == 202, answer.content

    def shown(self, id_: str) -> dict[str, Any]:
        """The broadcast as it is."""
        return dict(self.rest.get(f"/v1/broadcasts/{id_}").json())

    def targets(self, id_: str, query: str = "") -> list[dict[str, Any]]:
        """What became of the first of them."""
        return list(self.rest.get(f"/v1/broadcasts/{id_}/targets{query}").json()["items"])

    def go_on(self) -> int:
        """All turns that are due now; how many pieces of work that was."""
        total = 0
        while done := broadcast_turn(tenant_id=self.tenant.pk):
            total += done
        return total

    def runs(self, **where: Any) -> list[Run]:
        """Its runs, oldest first."""
        with tenant_scope(self.tenant.pk):
            return list(Run.objects.for_tenant(self.tenant.pk).filter(**where).order_by("id"))

    def rows(self) -> tuple[int, int, int]:
        """How many broadcasts, chunks and runs there are."""
        with tenant_scope(self.tenant.pk):
            return tuple(  # type: ignore[return-value]
                model.objects.filter(tenant_id=self.tenant.pk).count() for model in (Broadcast, BroadcastChunk, Run)
            )

    def change(self, **values: Any) -> None:
        """Set columns of its broadcasts."""
        with tenant_scope(self.tenant.pk):
            Broadcast.objects.filter(tenant_id=self.tenant.pk).update(**values)


@pytest.fixture
def sender(tenant: Tenant, rest: APIClient, settings: Any) -> Sender:
    """A tenant with a definition to broadcast, whose engine takes nothing up by itself."""
    settings.BROADCAST_BACKLOG = 1_000_000
    publish(tenant, NEWS)
    return Sender(tenant, rest)


@pytest.fixture
def people(rest: APIClient) -> Callable[..., None]:
    """`people(ada={"plan": "pro"})` stores recipients with these attributes."""

    def store(**attributes: Mapping[str, Any]) -> None:
        said = [{"id": name, "attributes": dict(one)} for name, one in attributes.items()]
        assert rest.post("/v1/recipients", {"recipients": said}).status_code == 200

    return store
