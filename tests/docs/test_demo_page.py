"""What the page about the demo tells readers to look for is there when the demo has been prepared."""

import re
from typing import Any

import pytest

from chimeway_py.demo.seed import seed
from chimeway_py.demo.seed_messages import PEOPLE
from deliveries.models import Provider, Recipient, Segment, Template
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tenants.services import find_tenant
from tests.docs.pages import page
from workflows.models import Definition

CARRIERS = "http://127.0.0.1:9999"


@pytest.fixture
def acme(known_secrets: dict[str, object], settings: Any) -> Tenant:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    known_secrets |= seed(known_secrets, CARRIERS)
    found = find_tenant("acme")
    assert found is not None
    return found


def test_what_the_page_names_is_there(acme: Tenant) -> None:
    rows = [line.split("|") for line in page("demo.md").read_text().splitlines() if line.startswith("| ")]
    named = {word for row in rows if len(row) == 6 for word in re.findall(r"`([a-z_]+)`", row[2] + row[3])}
    with tenant_scope(acme.pk):
        keys = {
            *Provider.objects.filter(tenant=acme).values_list("key", flat=True),
            *Template.objects.filter(tenant=acme).values_list("key", flat=True),
            *Segment.objects.filter(tenant=acme).values_list("key", flat=True),
            *Definition.objects.filter(tenant=acme).values_list("key", flat=True),
        }
        people = set(Recipient.objects.filter(tenant=acme).values_list("external_id", flat=True))

    assert {"parcel_sent", "letter", "texts", "team_chat", "team_chat_too", "browsers", "pro"} <= named
    assert named - {"unsubscribe"} - keys == set()
    assert set(PEOPLE) <= people


def test_a_second_start_changes_nothing_but_where_the_carriers_are(acme: Tenant, known_secrets: dict[str, Any]) -> None:
    def stored() -> dict[str, Any]:
        with tenant_scope(acme.pk):
            providers = Provider.objects.filter(tenant=acme, key__in=["texts", "browsers"])
            return {row.key: (row.config, row.updated_at) for row in providers}

    first = stored()
    seed(known_secrets, CARRIERS)
    assert stored() == first

    seed(known_secrets, "http://127.0.0.1:9998")
    moved = stored()
    assert moved["texts"][0]["url"] == "http://127.0.0.1:9998"
    assert moved["browsers"] == first["browsers"]
