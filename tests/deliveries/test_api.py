"""REST for deliveries, templates and endpoints: what is shown, what is refused, and nobody else's rows."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from deliveries.models import Delivery, Endpoint, Template
from tenants.api.idempotency import PLACE
from tenants.models import IdempotencyRecord, Tenant
from tenants.models.api_key import Scope
from tenants.vault import vault_of
from tests.deliveries.conftest import Journey

NOBODY = uuid.UUID(int=7)
HELLO = {"hello": {"subject": "Hello", "text": "t"}}
IN_APP, EMAIL = {"channel": "in_app", "template": "hello"}, {"channel": "email", "template": "hello"}


@pytest.fixture
def two_deliveries(journey: Journey) -> list[Delivery]:
    """An inbox item, delivered, and a mail, still planned, of one run."""
    journey.publish(IN_APP, EMAIL, templates=HELLO)
    return journey.deliveries(journey.start("bob", email="bob@example.com"))


def test_deliveries_are_listed_with_masked_addresses(rest: APIClient, two_deliveries: list[Delivery]) -> None:
    answer = rest.get("/v1/deliveries")

    mail, item = answer.json()["items"]
    assert "bob@example.com" not in answer.content.decode()
    assert (mail["recipient"], mail["status"], mail["channel"]) == ("b***@example.com", "planned", "email")
    assert (item["status"], item["subject"], item["resend_of"]) == ("delivered", "bob", None)
    assert mail["run_id"] == item["run_id"]


def test_deliveries_are_filtered(rest: APIClient, two_deliveries: list[Delivery]) -> None:
    run_id = rest.get("/v1/deliveries").json()["items"][0]["run_id"]

    def found(**query: str) -> int:
        return len(rest.get("/v1/deliveries", query).json()["items"])

    assert (found(run=run_id), found(run=str(uuid.uuid4()))) == (2, 0)
    assert (found(channel="email"), found(channel="webhook")) == (1, 0)
    assert (found(status="planned"), found(status="bounced")) == (1, 0)
    assert (found(subject="bob", status="delivered"), found(subject="eve")) == (1, 0)


@pytest.mark.parametrize(
    "query",
    [{"run": "x"}, {"channel": "smoke"}, {"status": "lost"}, {"tenant": "1"}, {"subject": "a\0"}, {"limit": "-1"}],
)
def test_a_query_that_means_nothing_is_refused(query: dict[str, str], rest: APIClient) -> None:
    assert rest.get("/v1/deliveries", query).status_code == 400


def test_one_delivery_is_shown_to_its_tenant_only(
    rest: APIClient, client_of: Callable[..., APIClient], two_deliveries: list[Delivery], other_tenant: Tenant
) -> None:
    address = f"/v1/deliveries/{two_deliveries[0].public_id}"
    theirs = client_of(other_tenant)

    assert rest.get(address).json()["id"] == str(two_deliveries[0].public_id)
    assert theirs.get(address).status_code == 404
    assert theirs.get("/v1/deliveries").json()["items"] == []
    foreign, missing = theirs.get(address).json(), theirs.get(f"/v1/deliveries/{uuid.uuid4()}").json()
    assert {**foreign, "request_id": ""} == {**missing, "request_id": ""}


def test_a_template_is_stored_changed_and_left_alone(rest: APIClient) -> None:
    words = {"channel": "email", "subject": "Hello {{ data.name }}", "text": "t"}

    new = rest.put("/v1/templates/hello", words)
    same = rest.put("/v1/templates/hello", words)
    changed = rest.put("/v1/templates/hello", {**words, "html": "<p>t</p>"})
    rest.put("/v1/templates/hello", {"channel": "in_app", "text": "t"})

    assert [answer.status_code for answer in (new, same, changed)] == [201, 200, 200]
    assert new.json() == same.json()
    assert changed.json()["checksum"] != new.json()["checksum"]
    shown = rest.get("/v1/templates/hello").json()["items"]
    assert [(one["channel"], one["html"]) for one in shown] == [("email", "<p>t</p>"), ("in_app", "")]
    assert len(rest.get("/v1/templates").json()["items"]) == 2


BAD_TEMPLATES = [
    ({"channel": "email", "text": "{{ data.x"}, "/text"),
    ({"channel": "email", "text": "{{ data.x | nope }}"}, "/text"),
    ({"channel": "email", "text": "{{ user.name }}"}, "/text"),
    ({"channel": "email", "text": "t", "subject": "{% include 'x' %}"}, "/subject"),
    ({"channel": "email", "text": "t", "html": "{% for i in (1..9) %}{% endfor %}"}, "/html"),
    ({"channel": "smoke", "text": "t"}, "/channel"),
    ({"channel": "email", "text": ""}, "/text"),
    ({"channel": "email"}, "/text"),
    ({"channel": "email", "text": "x" * 40_000}, "/text"),
    ({"channel": "email", "text": "a\0b"}, "/text"),
]


@pytest.mark.parametrize(("body", "path"), BAD_TEMPLATES)
def test_a_template_with_a_fault_is_refused_and_its_place_named(
    body: dict[str, Any], path: str, rest: APIClient, journey: Journey
) -> None:
    answer = rest.put("/v1/templates/hello", body)

    assert answer.status_code == 400
    assert path in [one["path"] for one in answer.json()["detail"]]
    assert journey.read(lambda: Template.objects.filter(tenant_id=journey.tenant.pk).count()) == 0


def test_an_endpoint_shows_its_secret_once(rest: APIClient) -> None:
    made = rest.put("/v1/endpoints/pager", {"url": "https://example.com/hook"})
    shown = rest.get("/v1/endpoints/pager")
    again = rest.put("/v1/endpoints/pager", {"url": "https://example.com/other", "enabled": False})
    rotated = rest.post("/v1/endpoints/pager/rotate-secret", {"overlap": "PT1H"})

    secret = made.json()["secret"]
    assert (made.status_code, again.status_code, rotated.status_code) == (201, 200, 201)
    assert secret.startswith("whsec_")
    assert rotated.json()["secret"] != secret
    assert (again.json()["url"], again.json()["enabled"], again.json()["secret"]) == (
        "https://example.com/other",
        False,
        "",
    )
    assert len(rotated.json()["secrets"]) == 2
    for answer in (shown, again, rest.get("/v1/endpoints"), rest.get("/v1/endpoints/pager")):
        assert secret.removeprefix("whsec_") not in answer.content.decode()


def test_three_secrets_may_live_at_once(rest: APIClient) -> None:
    rest.put("/v1/endpoints/pager", {"url": "https://example.com/hook"})

    statuses = [rest.post("/v1/endpoints/pager/rotate-secret", {}).status_code for _ in range(3)]
    at_once = rest.post("/v1/endpoints/pager/rotate-secret", {"overlap": "PT0S"})

    assert statuses == [201, 201, 409]
    assert (at_once.status_code, len(at_once.json()["secrets"])) == (201, 1)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "https://user:secret@example.com/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://2130706433/",
        "https://example.com:22/",
        "https://exämple.com/",
        "https://example.com/\r\nX: y",
        "javascript:alert(1)",
        "",
    ],
)
def test_an_address_we_would_never_call_is_refused_when_it_is_stored(
    url: str, rest: APIClient, journey: Journey
) -> None:
    answer = rest.put("/v1/endpoints/pager", {"url": url})

    assert (answer.status_code, answer.json()["detail"][0]["path"]) == (400, "/url")
    assert journey.read(lambda: Endpoint.objects.filter(tenant_id=journey.tenant.pk).count()) == 0


@pytest.mark.parametrize("overlap", ["soon", "-P1D", "P31D", "P1M", ""])
def test_an_overlap_is_a_duration_of_at_most_thirty_days(overlap: str, rest: APIClient) -> None:
    rest.put("/v1/endpoints/pager", {"url": "https://example.com/hook"})

    assert rest.post("/v1/endpoints/pager/rotate-secret", {"overlap": overlap}).status_code == 400


def test_templates_and_endpoints_of_another_tenant_do_not_exist(
    rest: APIClient, client_of: Callable[..., APIClient], other_tenant: Tenant
) -> None:
    rest.put("/v1/templates/hello", {"channel": "email", "text": "t"})
    rest.put("/v1/endpoints/pager", {"url": "https://example.com/hook"})
    theirs = client_of(other_tenant)

    for address in ("/v1/templates/hello", "/v1/endpoints/pager"):
        assert theirs.get(address).status_code == 404
    assert theirs.post("/v1/endpoints/pager/rotate-secret", {}).status_code == 404
    assert theirs.put("/v1/endpoints/pager", {"url": "https://example.org/"}).status_code == 201
    assert rest.get("/v1/endpoints/pager").json()["url"] == "https://example.com/hook"


@pytest.mark.parametrize(
    ("method", "address", "scope"),
    [
        ("get", "/v1/inbox/bob", Scope.INBOX_READ),
        ("post", f"/v1/inbox/bob/{NOBODY}/read", Scope.INBOX_WRITE),
        ("get", "/v1/deliveries", Scope.DELIVERIES_READ),
        ("get", f"/v1/deliveries/{NOBODY}", Scope.DELIVERIES_READ),
        ("post", f"/v1/deliveries/{NOBODY}/resend", Scope.DELIVERIES_WRITE),
        ("post", f"/v1/deliveries/{NOBODY}/bounce", Scope.DELIVERIES_WRITE),
        ("get", "/v1/templates/x", Scope.DEFINITIONS_READ),
        ("put", "/v1/templates/x", Scope.DEFINITIONS_WRITE),
        ("get", "/v1/endpoints/x", Scope.DEFINITIONS_READ),
        ("put", "/v1/endpoints/x", Scope.DEFINITIONS_WRITE),
        ("post", "/v1/endpoints/x/rotate-secret", Scope.DEFINITIONS_WRITE),
    ],
)
def test_every_address_asks_for_its_scope(
    method: str, address: str, scope: Scope, client_of: Callable[..., APIClient], tenant: Tenant
) -> None:
    without = client_of(tenant, [other for other in Scope if other != scope])
    with_it = client_of(tenant, [scope])

    assert getattr(without, method)(address).status_code == 403
    assert getattr(with_it, method)(address).status_code != 403
    assert getattr(APIClient(), method)(address).status_code == 401


@pytest.mark.parametrize("odd", ["%00", "a%00b", "%ED%A0%80", "%FF", "x" * 500])
def test_odd_text_in_an_address_is_not_found(odd: str, rest: APIClient) -> None:
    for address in (f"/v1/inbox/{odd}", f"/v1/templates/{odd}", f"/v1/endpoints/{odd}"):
        assert rest.get(address).status_code in (200, 400, 404), address
    assert rest.put(f"/v1/templates/{odd}", {"channel": "email", "text": "t"}).status_code in (400, 404)
    assert rest.post(f"/v1/inbox/{odd}/{uuid.uuid4()}/read").status_code == 404


def test_a_replayed_answer_does_not_show_the_secret_again(rest: APIClient, journey: Journey) -> None:
    body = {"url": "https://example.com/hook"}

    first, replay = (rest.put("/v1/endpoints/pager", body, HTTP_IDEMPOTENCY_KEY="once") for _ in range(2))

    assert first.json()["secret"].startswith("whsec_")
    assert "secret" not in replay.json()
    secret = first.json()["secret"]
    kept = journey.read(lambda: IdempotencyRecord.objects.get(tenant_id=journey.tenant.pk).sealed)
    assert secret not in vault_of(journey.tenant.pk).open(PLACE, "once", bytes(kept))
