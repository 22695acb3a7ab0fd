"""What a demo starts with: two tenants who use the same words, and an operator who sees both."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model

from chimeway_py.demo.carriers import PAGER
from chimeway_py.demo.seed_messages import seed_messages
from deliveries.preferences.categories import put_category
from deliveries.services.endpoints import put_endpoint
from signals_app.models import SignalSource
from signals_app.services.secrets import opened_secrets
from signals_app.services.sources import create_source
from tenants.models import ApiKey, Tenant
from tenants.models.api_key import Scope
from tenants.scope import tenant_scope
from tenants.services import add_membership, create_api_key, create_tenant, find_tenant
from workflows.definitions.files import find_files, load_file
from workflows.services.definitions import ensure_definition

SAMPLES = Path(__file__).resolve().parents[2] / "workflows" / "samples"
TENANTS = {"acme": "Acme", "globex": "Globex"}
CATEGORIES = {"news": ("News of the week", False), "security": ("Security of your account", True)}
SOURCE = "app"
MAPPING = {
    "name": "type",
    "external_id": "id",
    "subject": "user_id",
    "correlation": {"message_id": "message_id", "invoice_id": "invoice_id", "incident_id": "incident_id"},
}
UNREAD_FOR = "PT6S"  # the sample waits two hours; nobody watches a demo that long
QUIET = {"sliding": {"quiet": "PT30S", "at_most": "PT2H"}}  # for the same reason
OPERATOR = "operator"


def seed(known: Mapping[str, Any], carriers_url: str) -> dict[str, Any]:
    """Make what is missing and return logins and secrets as {operator, tenants}.

    `known` is what an earlier call returned: secrets that the database still knows stay the same.
    `carriers_url` is where those listen who carry its messages.
    """
    before = {tenant["slug"]: tenant for tenant in known.get("tenants", [])}
    rows = {slug: find_tenant(slug) or create_tenant(slug=slug, name=name) for slug, name in TENANTS.items()}
    tenants = [_seed_tenant(row, carriers_url, before.get(slug, {})) for slug, row in rows.items()]
    return {"operator": _seed_operator(rows.values(), known.get("operator", {})), "tenants": tenants}


def demo_documents() -> list[dict[str, Any]]:
    """The sample definitions, with a wait that a person can sit out."""
    documents = [load_file(path) for path in find_files([SAMPLES])]
    for document in documents:
        for step in document["steps"]:
            if document["key"] == "mention_escalation" and step["key"] == "unread":
                step["for"] = UNREAD_FOR
            if document["key"] == "comment_digest" and step["key"] == "collect":
                step["window"] = QUIET
    return documents


def _seed_tenant(tenant: Tenant, carriers_url: str, known: Mapping[str, str]) -> dict[str, str]:
    put_endpoint(tenant_id=tenant.pk, key="pager", url=carriers_url + PAGER)
    seed_messages(tenant.pk, carriers_url)
    for key, (name, required) in CATEGORIES.items():
        put_category(tenant_id=tenant.pk, key=key, name=name, required=required)
    for document in demo_documents():
        ensure_definition(tenant_id=tenant.pk, document=document)
    return {"slug": tenant.slug, "api_key": _api_key(tenant, known.get("api_key", "")), **_source(tenant, known)}


def _api_key(tenant: Tenant, known: str) -> str:
    with tenant_scope(tenant.pk):
        if known and ApiKey.objects.filter(prefix=known.split("_")[1], revoked_at=None).exists():
            return known
    return create_api_key(tenant_id=tenant.pk, name="demo", scopes=Scope.values).token


def _source(tenant: Tenant, known: Mapping[str, str]) -> dict[str, str]:
    with tenant_scope(tenant.pk):
        row = SignalSource.objects.filter(tenant=tenant, key=SOURCE).first()
        if row is not None:
            return {"source": str(row.public_id), "secret": opened_secrets(row)[-1]["secret"]}
    issued = create_source(
        tenant_id=tenant.pk, key=SOURCE, scheme="standard_webhooks", mapping=MAPPING, secret=known.get("secret", "")
    )
    return {"source": str(issued.row.public_id), "secret": issued.secret}


def _seed_operator(tenants: Any, known: Mapping[str, str]) -> dict[str, str]:
    password = known.get("password") or secrets.token_urlsafe(12)
    user, _ = get_user_model().objects.get_or_create(
        username=OPERATOR, defaults={"is_staff": True, "is_superuser": True}
    )
    if not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
    for tenant in tenants:
        add_membership(tenant_id=tenant.pk, user_id=user.pk)
    return {"username": OPERATOR, "password": password}
