"""What the fuzzing aims at: every operation of the OpenAPI document, with names of objects that are really there."""

import copy
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from rest_framework.test import APIClient
from schemathesis import APIOperation

from chimeway_py.schema import document
from tenants.models import Tenant
from tenants.models.api_key import Scope
from tenants.services import create_api_key, create_tenant
from tests.api.neighbours import BODIES, OWNED, kind_of, names
from tests.api.test_tenancy_sweep import contents

SCHEMA = schemathesis.openapi.from_dict(copy.deepcopy(document()))
SCHEMA.app = WSGIHandler()
FOUND = {found.label: found for found in (result.ok() for result in SCHEMA.get_all_operations())}
OPERATIONS = sorted(FOUND, key=lambda label: label.startswith("DELETE"))  # others need what is deleted
EVERYWHERE = "runs"  # what the tenant has that is asked for lists


@schemathesis.serializer("application/x-ndjson")
def json_lines(context: schemathesis.SerializationContext, value: Any) -> bytes:
    """Lines of JSON, or whatever else was made."""
    return value if isinstance(value, bytes) else "\n".join(json.dumps(line) for line in _lines(value)).encode()


def _lines(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@dataclass(frozen=True)
class Owner:
    """A tenant, the names of what it has, and the keys it may ask with."""

    tenant: Tenant
    names: Mapping[str, Any]
    key: str
    narrow_key: str

    def rows(self) -> Mapping[str, Any]:
        """How many rows it has and what they say; not how often a source refused something, which is counted."""
        return {table: rows for table, rows in contents(self.tenant).items() if table != "signals_app_signalsource"}


class Owners:
    """One owner for each kind of address, made when it is first asked for; or for each operation, in a long run."""

    def __init__(self, *, each: bool) -> None:
        self._each = each
        self._made: dict[str, Owner] = {}

    def of(self, operation: APIOperation) -> Owner:
        """The owner of what an operation is about."""
        kind = kind_of(operation.path)
        kind = kind if kind in OWNED else EVERYWHERE
        place = operation.label if self._each else kind
        if place not in self._made:
            self._made[place] = _made(OWNED[kind])
        return self._made[place]


def _made(furnish: Callable[[APIClient, Tenant], str]) -> Owner:
    tenant = create_tenant(slug=f"fuzz-{uuid.uuid4().hex[:20]}")
    tokens = [
        create_api_key(tenant_id=tenant.pk, name="fuzz", scopes=scopes).token
        for scopes in (Scope.values, [Scope.DEFINITIONS_READ])
    ]
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens[0]}")
    return Owner(tenant, names(furnish(client, tenant)), *tokens)


def good_bodies(operation: APIOperation) -> list[Any]:
    """Bodies that the operation takes: its examples in the document, and what the tenancy sweep sends."""
    content = operation.definition.raw.get("requestBody", {}).get("content", {})
    shown = [example["value"] for kind in content.values() for example in kind.get("examples", {}).values()]
    swept = BODIES.get(f"{operation.method} {operation.path}")
    return [body for body in [*shown, swept] if isinstance(body, dict)]
