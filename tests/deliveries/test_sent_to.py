"""Did anything go to this address? Found by digest, for one tenant, by pages, and told to nobody else."""

import json
from collections.abc import Callable
from importlib import import_module
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from chimeway_py.embedded.mailbox import Mailbox
from chimeway_py.embedded.postgres import Postgres
from deliveries.admin import address_search
from deliveries.models import Delivery, Recipient
from deliveries.recipients.searching import deliveries_to
from tenants.models import Role, Tenant
from tenants.models.api_key import Scope
from tenants.scope import tenant_scope
from tests.admin.conftest import operator
from tests.deliveries.conftest import Journey
from tests.deliveries.test_provider_kinds import subscription

SEARCH = "/v1/deliveries/search"
ADMIN = reverse("admin:deliveries_delivery_to_address")
WORDS = {"hello": {"subject": "Hello", "text": "t"}}
MAIL = {"channel": "email", "template": "hello", "to": "data.email"}
TEXT = {"channel": "sms", "template": "hello", "to": "data.phone", "on_outcome": {"permanent_failure": "next"}}
ADDRESS, NUMBER = "Ann.Lee@example.org", "+43 664 000-0001"


@pytest.fixture
def sent(rest: APIClient, journey: Journey, smtp_sink: Mailbox) -> Journey:
    """One mail that went out, a text that nobody could carry, and another mail that its recipient refused."""
    rest.put("/v1/categories/news", {})
    rest.put("/v1/recipients/ann/preferences", {"rules": [{"category": "news", "channel": "email", "allowed": False}]})
    journey.publish(MAIL, TEXT, MAIL | {"category": "news"}, templates=WORDS)
    journey.start("ann", email=ADDRESS, phone=NUMBER)
    journey.start("bob", email="bob@example.org", phone="+436640000002")
    for _ in range(3):
        journey.work()
    return journey


def found(client: APIClient, address: str, query: str = "") -> list[tuple[str, str]]:
    answer = client.post(SEARCH + query, {"address": address})
    assert answer.status_code == 200, answer.content
    return [(one["subject"], one["status"]) for one in answer.json()["items"]]


def test_what_went_to_an_address_is_found_however_it_is_written(rest: APIClient, sent: Journey) -> None:
    mails = [("ann", "suppressed"), ("ann", "delivered")]

    assert found(rest, ADDRESS) == found(rest, " ann.lee@EXAMPLE.org ") == mails
    assert found(rest, NUMBER) == found(rest, "+436640000001") == [("ann", "permanent_failure")]
    assert found(rest, "nobody@example.org") == []
    assert found(rest, ADDRESS, "?status=delivered") == mails[1:]
    first = rest.post(f"{SEARCH}?limit=1", {"address": ADDRESS}).json()
    second = rest.post(f"{SEARCH}?limit=1&cursor={first['next']}", {"address": ADDRESS}).json()
    assert [first["items"][0]["status"], second["items"][0]["status"], second["next"]] == [*dict.fromkeys(
        status for _, status in mails
    ), None]  # fmt: skip
    assert first["items"][0]["why"].startswith("Not sent: the recipient said no")


def test_who_has_an_address_is_found_by_all_its_forms_and_by_nobody_else(
    rest: APIClient,
    client_of: Callable[..., APIClient],
    tenant: Tenant,
    other_tenant: Tenant,
    operator: Callable[..., Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    browser = subscription("https://push.example.com/1")
    ann = {"email": ADDRESS, "sms": NUMBER, "push": [browser]}
    said = [{"id": "ann", "addresses": ann}, {"id": "bob", "addresses": {"email": "bob@example.org"}}]
    assert rest.post("/v1/recipients", {"recipients": said}).status_code == 200
    client_of(other_tenant).put("/v1/recipients/cid", {"addresses": ann})

    def who(address: str, client: APIClient = rest) -> list[str]:
        answer = client.post("/v1/recipient-search", {"address": address})
        assert answer.status_code == 200, answer.content
        assert address.casefold() not in answer.content.decode().casefold()
        return [one["id"] for one in answer.json()["items"]]

    for form in (ADDRESS, " ann.lee@EXAMPLE.org ", NUMBER, "+436640000001", json.dumps(browser)):
        assert who(form) == ["ann"], form
    assert who(ADDRESS, client_of(other_tenant)) == ["cid"]
    assert who("nobody@example.org") == []
    page = operator(tenant, role=Role.VIEWER).post(ADMIN, {"tenant": tenant.pk, "address": NUMBER}).content.decode()
    assert ("Who has it now" in page, ">ann<" in page, ">cid<" in page) == (True, True, False)
    monkeypatch.setattr("sys.stdin", StringIO(f"{ADDRESS}\n"))
    out = StringIO()
    call_command("recipients", "find", "--tenant", tenant.slug, stdout=out)
    assert out.getvalue() == "ann\n"

    with tenant_scope(tenant.pk):  # as an older process stored them
        kept = dict(Recipient.objects.filter(tenant_id=tenant.pk).values_list("external_id", "address_digests"))
        Recipient.objects.filter(tenant_id=tenant.pk).update(address_digests=[])
    fill = import_module("deliveries.migrations.0017_recipient_addresses").fill
    fill(None, SimpleNamespace(connection=connections["owner"]))
    with tenant_scope(tenant.pk):
        again = dict(Recipient.objects.filter(tenant_id=tenant.pk).values_list("external_id", "address_digests"))
    assert again == kept
    rest.put("/v1/recipients/ann", {"addresses": {"email": "new@example.org"}})
    assert (who(ADDRESS), who("new@example.org")) == ([], ["ann"])
    few = client_of(tenant, {Scope.DELIVERIES_READ}).post("/v1/recipient-search", {"address": ADDRESS})
    assert few.status_code == 403


@pytest.mark.parametrize(
    ("body", "query"),
    [
        ({}, ""),
        ({"address": " "}, ""),
        ({"address": ["a@example.org"]}, ""),
        ({"address": "a\0b"}, ""),
        ({"address": "a" * 2001}, ""),
        ({"address": "a@example.org", "subject": "ann"}, ""),
        ({"address": "a@example.org"}, "?address=a@example.org"),
    ],
)
def test_what_is_no_address_is_refused(rest: APIClient, body: dict[str, Any], query: str) -> None:
    assert rest.post(SEARCH + query, body).status_code == 400
    assert rest.post(f"/v1/recipient-search{query}", body).status_code == 400


def test_nothing_of_the_address_is_told_or_found_by_others(
    rest: APIClient,
    client_of: Callable[..., APIClient],
    other_tenant: Tenant,
    sent: Journey,
    capfd: pytest.CaptureFixture[str],
) -> None:
    answer = rest.post(SEARCH, {"address": ADDRESS}, headers={"Idempotency-Key": "look"})

    assert ADDRESS.casefold() not in answer.content.decode().casefold()
    assert "ann.lee" not in "".join(capfd.readouterr()).casefold()
    assert found(client_of(other_tenant), ADDRESS) == []
    assert client_of(sent.tenant, {Scope.RUNS_READ}).post(SEARCH, {"address": ADDRESS}).status_code == 403


def test_one_address_among_many_is_found_by_index(sent: Journey, postgres: Postgres) -> None:
    """Or a tenant's millions would be read for one question."""
    names = [field.column for field in Delivery._meta.concrete_fields if field.column != "id"]
    fresh = {"public_id": "gen_random_uuid()", "key": "key || n", "recipient_digest": "md5(n::text) || md5(n::text)"}
    values = ", ".join(fresh.get(name, f'"{name}"') for name in names)
    copied = ", ".join(f'"{name}"' for name in names)
    table = Delivery._meta.db_table
    with tenant_scope(sent.tenant.pk), connection.cursor() as cursor:
        many = f"SELECT {values} FROM {table}, generate_series(1, 1000) n WHERE channel = 'email'"  # noqa: S608
        cursor.execute(f"INSERT INTO {table} ({copied}) {many}")
    with postgres.connect("chimeway_owner") as owner:
        owner.execute(f"ANALYZE {table}")
    with tenant_scope(sent.tenant.pk):
        plan = deliveries_to(sent.tenant.pk, ADDRESS).order_by("-id").explain()

    assert {"delivery_last_to_address", "delivery_not_sent_to"} <= set(plan.split())


def test_at_the_admin_it_is_posted_and_paged(
    operator: Callable[..., Client], sent: Journey, other_tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address_search, "PAGE", 1)
    client = operator(sent.tenant, role=Role.VIEWER)
    asked = {"tenant": sent.tenant.pk, "address": ADDRESS}
    assert ADMIN in client.get(reverse("admin:deliveries_delivery_changelist")).content.decode()

    first = client.post(ADMIN, asked)
    second = client.post(ADMIN, asked | {"before": first.context["next"]})

    with tenant_scope(sent.tenant.pk):
        newest, oldest = deliveries_to(sent.tenant.pk, ADDRESS).order_by("-id")
    assert str(newest.public_id) in first.content.decode()
    assert str(oldest.public_id) not in first.content.decode()
    assert str(oldest.public_id) in second.content.decode()
    assert second.context["next"] is None
    assert "Nothing went there." in client.post(ADMIN, asked | {"address": "x@example.org"}).content.decode()
    refused = client.post(ADMIN, asked | {"tenant": other_tenant.pk})
    assert "section" not in refused.context


def test_the_command_reads_it_from_standard_input(sent: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    out = StringIO()
    monkeypatch.setattr("sys.stdin", StringIO(f"{ADDRESS}\n"))

    call_command("recipients", "sent_to", "--tenant", sent.tenant.slug, stdout=out)

    refused, delivered = out.getvalue().splitlines()
    assert refused.startswith("ann: ")
    assert "suppressed: Not sent" in refused
    assert "delivered: Sent at" in delivered


def test_after_an_erasure_nothing_is_found(rest: APIClient, sent: Journey) -> None:
    assert rest.delete("/v1/subjects/ann").status_code in (200, 202, 204)

    assert found(rest, ADDRESS) == []
    with tenant_scope(sent.tenant.pk):
        assert Delivery.objects.for_tenant(sent.tenant.pk).exclude(recipient_digest="").count() > 0


__all__ = ["operator"]
