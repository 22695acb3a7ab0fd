"""Recipients: stored one by one, many at once, with a start; found by the deliver step; erased and exported."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from rest_framework.test import APIClient

from chimeway_py.embedded.mailbox import Mailbox
from deliveries.channels.push import PushChannel
from deliveries.models import Endpoint, Preference, Recipient
from deliveries.recipients.upsert import merge_recipients
from deliveries.services import put_endpoint
from signals_app.subjects.erase import erase_subject
from signals_app.subjects.export import export_subject
from tenants.models import Tenant
from tenants.models.api_key import Scope
from tenants.scope import tenant_scope
from tests.deliveries.conftest import Journey
from tests.journeys import rows_of
from workflows.models import Run

ADA = {
    "addresses": {"email": "ada@example.com", "sms": "+4915112345678"},
    "zone": "Europe/Berlin",
    "locale": "de-DE",
    "attributes": {"name": "Ada"},
}
HELLO = {"hello": {"subject": "Dear {{ recipient.attributes.name }}", "text": "{{ recipient.locale }}"}}
MAIL = {"channel": "email", "template": "hello"}


def stored(tenant: Tenant) -> dict[str, Any]:
    """Every recipient's addresses by id."""
    with tenant_scope(tenant.pk):
        return {row.external_id: row.person["addresses"] for row in Recipient.objects.filter(tenant_id=tenant.pk)}


def test_put_makes_and_then_replaces(rest: APIClient) -> None:
    made = rest.put("/v1/recipients/users/ada", ADA)
    again = rest.put("/v1/recipients/users/ada", ADA)
    replaced = rest.put("/v1/recipients/users/ada", {"addresses": {"email": "ada@example.org"}})

    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json() == again.json()  # nothing was written the second time, not even a time
    assert replaced.json()["addresses"] == {"email": "ada@example.org"}
    assert (replaced.json()["zone"], replaced.json()["attributes"]) == ("", {})
    assert rest.get("/v1/recipients/users/ada").json() == replaced.json()


def test_an_empty_zone_or_locale_is_none(rest: APIClient) -> None:
    rest.put("/v1/recipients/ada", {"zone": "Europe/Berlin", "locale": "de"})

    emptied = rest.put("/v1/recipients/ada", {"zone": "", "locale": ""})

    assert (emptied.status_code, emptied.json()["zone"], emptied.json()["locale"]) == (200, "", "")


@pytest.mark.parametrize("id_", ["team/history", "team/preferences"])
def test_nobody_has_the_address_of_something_else(id_: str, rest: APIClient, tenant: Tenant) -> None:
    answer = rest.post("/v1/recipients", {"recipients": [{"id": "team"}, {"id": id_}]})

    assert (answer.status_code, answer.json()["detail"][0]["path"]) == (400, "/recipients/1/id")
    assert stored(tenant) == {}


def test_what_is_personal_is_sealed_and_lists_do_not_show_it(rest: APIClient, tenant: Tenant) -> None:
    rest.put("/v1/recipients/ada", ADA)

    with tenant_scope(tenant.pk):
        kept = bytes(Recipient.objects.get(tenant_id=tenant.pk).sealed or b"")
    listed = rest.get("/v1/recipients")
    assert b"ada@example.com" not in kept
    assert listed.json()["items"][0]["channels"] == ["email", "sms"]
    assert "example.com" not in listed.content.decode()


def test_many_are_merged_name_by_name(rest: APIClient, tenant: Tenant) -> None:
    rest.put("/v1/recipients/ada", ADA)

    answer = rest.post(
        "/v1/recipients",
        {
            "recipients": [
                {"id": "grace", "addresses": {"email": "grace@example.com"}},
                {"id": "ada", "addresses": {"sms": None, "fax": None, "chat": "U1"}, "locale": None},
                {"id": "grace", "addresses": {"sms": "+43 664 1234567"}},
            ]
        },
    )

    assert [one["created"] for one in answer.json()["recipients"]] == [True, False, False]
    assert stored(tenant) == {
        "ada": {"email": "ada@example.com", "chat": "U1"},
        "grace": {"email": "grace@example.com", "sms": "+43 664 1234567"},
    }
    ada = rest.get("/v1/recipients/ada").json()
    assert (ada["locale"], ada["zone"], ada["attributes"]) == ("", "Europe/Berlin", {"name": "Ada"})


POINT = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"  # RFC 8291, 5
SECRET = "BTBZMqHH6r4Tts7J_aSIgg"
PUSH = {"endpoint": "https://push.example.com/1", "keys": {"p256dh": POINT, "auth": SECRET}}
BAD = [
    # what is said, the path of its fault
    ({"addresses": {"email": "nobody"}}, "/addresses/email"),
    ({"addresses": {"E Mail": "x"}}, "/addresses/E Mail"),
    ({"addresses": ["a@example.com"]}, "/addresses"),
    ({"addresses": {"sms": ""}}, "/addresses/sms"),
    ({"addresses": {"sms": "12345"}}, "/addresses/sms"),
    ({"addresses": {"sms": ["+436641234567", "+436641234568"]}}, "/addresses/sms"),
    ({"addresses": {"email": ["a@example.com"]}}, "/addresses/email"),
    ({"addresses": {"chat": "a\nb"}}, "/addresses/chat"),
    ({"addresses": {"push": []}}, "/addresses/push"),
    ({"addresses": {"push": {"endpoint": "https://example.com"}}}, "/addresses/push"),
    ({"addresses": {"push": "a browser"}}, "/addresses/push"),
    ({"addresses": {"sms": "1" * 2001}}, "/addresses/sms"),
    ({"addresses": {"emial": "a@example.com"}}, "/addresses/emial"),
    ({"addresses": {"push": {**PUSH, "keys": {"p256dh": "abc", "auth": SECRET}}}}, "/addresses/push"),
    ({"addresses": {"push": {**PUSH, "keys": {"p256dh": POINT, "auth": "abc"}}}}, "/addresses/push"),
    ({"addresses": {"push": [{**PUSH, "endpoint": "http://127.0.0.1/x"}]}}, "/addresses/push"),
    ({"zone": "Mars/Phobos"}, "/zone"),
    ({"zone": 1}, "/zone"),
    ({"locale": "german please"}, "/locale"),
    ({"attributes": {"a b": 1}}, "/attributes/a b"),
    ({"attributes": {"a": "x" * 17000}}, "/attributes"),
    ({"name": "Ada"}, "/name"),
]


@pytest.mark.parametrize(("said", "path"), BAD)
def test_a_fault_is_named_by_its_path_and_nothing_is_written(
    said: dict[str, Any], path: str, rest: APIClient, tenant: Tenant, journey: Journey
) -> None:
    journey.publish(MAIL, templates=HELLO)
    put = rest.put("/v1/recipients/ada", said)
    many = rest.post("/v1/recipients", {"recipients": [{"id": "grace"}, {"id": "ada", **said}]})
    start = rest.post("/v1/runs", {"workflow": journey.key, "subject": "ada", "recipient": said})

    assert PushChannel().is_address(PUSH)
    assert [answer.status_code for answer in (put, many, start)] == [400, 400, 400]
    assert put.json()["detail"][0]["path"] == path
    assert many.json()["detail"][0]["path"] == f"/recipients/1{path}"
    assert start.json()["detail"][0]["path"] == f"/recipient{path}"
    assert rows_of(tenant, (Recipient, Run)) == [0, 0]


def test_a_start_stores_its_recipient_in_the_same_transaction(
    rest: APIClient, tenant: Tenant, journey: Journey, smtp_sink: Mailbox
) -> None:
    journey.publish(MAIL, templates=HELLO)
    body = {"workflow": journey.key, "subject": "ada", "recipient": ADA, "idempotency_key": "once"}

    first = rest.post("/v1/runs", body)
    rest.put("/v1/recipients/ada", ADA | {"addresses": {"email": "new@example.com"}})
    again = rest.post("/v1/runs", body)
    other = rest.post("/v1/runs", body | {"recipient": {"zone": "UTC"}})

    assert (first.status_code, again.status_code) == (201, 200)
    assert other.status_code == 409  # the same key with another request
    assert stored(tenant) == {"ada": {"email": "new@example.com"}}  # a start that is repeated says nothing new


def test_a_start_needs_the_right_to_write_recipients(
    client_of: Callable[..., APIClient], tenant: Tenant, journey: Journey
) -> None:
    journey.publish(MAIL, templates=HELLO)
    starter = client_of(tenant, [Scope.RUNS_WRITE])

    refused = starter.post("/v1/runs", {"workflow": journey.key, "subject": "ada", "recipient": ADA})

    assert (refused.status_code, refused.json()["detail"]) == (403, {"scope": "recipients:write"})
    assert rows_of(tenant, (Recipient, Run)) == [0, 0]


def test_several_runs_bring_their_own_and_several_subjects_cannot(rest: APIClient, journey: Journey) -> None:
    journey.publish(MAIL, templates=HELLO)
    runs = [{"subject": name, "recipient": {"attributes": {"name": name}}} for name in ("ada", "grace")]

    started = rest.post("/v1/runs", {"workflow": journey.key, "runs": runs})
    refused = rest.post("/v1/runs", {"workflow": journey.key, "subjects": ["ada"], "recipient": ADA})

    assert started.status_code == 201
    assert rest.get("/v1/recipients/grace").json()["attributes"] == {"name": "grace"}
    assert refused.json()["detail"] == [
        {"path": "/recipient", "code": "conflict", "message": "Of several subjects, each has its own: give `runs`."}
    ]


def test_a_mail_goes_where_the_recipient_is_reached_when_it_is_sent(
    rest: APIClient, journey: Journey, smtp_sink: Mailbox
) -> None:
    rest.put("/v1/recipients/anna", ADA)
    journey.publish(MAIL, templates=HELLO)
    run = journey.start("anna", email="old@example.com")
    rest.put("/v1/recipients/anna", ADA | {"addresses": {"email": "moved@example.com"}})

    journey.work()

    [mail] = smtp_sink.to("moved@example.com")
    assert (mail["Subject"], mail.get_payload().strip()) == ("Dear Ada", "de-DE")
    assert journey.delivery(run).status == "delivered"


def test_what_the_step_says_counts_before_the_recipient(rest: APIClient, journey: Journey, smtp_sink: Mailbox) -> None:
    rest.put("/v1/recipients/anna", ADA | {"addresses": {"email": "not-here@example.com"}})
    journey.publish(MAIL | {"to": "data.desk"}, templates=HELLO)
    journey.start("anna", desk="desk-of-anna@example.com")

    journey.work()

    assert len(smtp_sink.to("desk-of-anna@example.com")) == 1
    assert smtp_sink.to("not-here@example.com") == []


def test_a_step_may_name_another_recipient(rest: APIClient, journey: Journey, smtp_sink: Mailbox) -> None:
    rest.put("/v1/recipients/boss", ADA | {"addresses": {"email": "the-boss@example.com"}})
    inbox = {"channel": "in_app", "template": "hello", "recipient": "data.manager"}
    journey.publish(MAIL | {"recipient": "data.manager"}, inbox, templates=HELLO)

    run = journey.start("anna", manager="boss", email="anna@example.com")
    journey.work()
    lost = journey.start("anna", email="anna@example.com")
    stranger = journey.start("anna", manager="nobody", email="anna@example.com")

    assert [one.subject for one in journey.deliveries(run)] == ["boss", "boss"]
    assert len(smtp_sink.to("the-boss@example.com")) == 1
    assert journey.inbox("boss")[0].content["title"] == "Dear Ada"
    assert journey.deliveries(lost)[0].error == "no_recipient"
    assert journey.deliveries(stranger)[0].error == "no_recipient"  # never at an address of anna's


def test_somebody_without_an_address_is_a_failure_unless_the_step_skips_them(
    rest: APIClient, journey: Journey, smtp_sink: Mailbox
) -> None:
    """Also when the address goes between the plan and the try; an address that is none stays a failure."""
    skip = {"channel": "email", "template": "hello", "without_address": "skip", "recipient": "run.subject"}
    journey.publish(skip | {"on_outcome": {"suppressed": "next"}}, {**skip, "without_address": "fail"}, templates=HELLO)
    rest.put("/v1/recipients/gone", ADA | {"addresses": {"email": "gone@example.com"}})

    never, gone = journey.start("never"), journey.start("gone")
    rest.put("/v1/recipients/gone", {"attributes": ADA["attributes"]})
    journey.work()
    journey.work()

    for run in (never, gone):
        assert [(one.status, one.error) for one in journey.deliveries(run)] == [
            ("suppressed", "no_recipient"),
            ("permanent_failure", "no_recipient"),
        ]
    assert smtp_sink.to("gone@example.com") == []
    journey.publish(
        {"channel": "sms", "template": "hello", "without_address": "skip", "to": "data.phone"}, templates=HELLO
    )
    assert journey.delivery(journey.start("never", phone="none")).error == "invalid_address"


def test_the_same_id_in_two_tenants_shares_nothing(
    rest: APIClient, client_of: Callable[..., APIClient], tenant: Tenant, other_tenant: Tenant
) -> None:
    rest.put("/v1/recipients/ada", ADA)
    others = client_of(other_tenant)
    before = others.get("/v1/recipients/ada").status_code
    others.put("/v1/recipients/ada", {"zone": "UTC"})

    assert before == 404
    assert (stored(tenant), stored(other_tenant)) == ({"ada": ADA["addresses"]}, {"ada": {}})


def test_a_recipient_is_exported_and_erased(rest: APIClient, tenant: Tenant) -> None:
    rest.put("/v1/recipients/ada", ADA)
    rest.put("/v1/recipients/grace", ADA)
    rest.put("/v1/recipients/ada/preferences", {"rules": [{"channel": "email", "allowed": False}]})

    told = "".join(export_subject(tenant_id=tenant.pk, subject="ada"))
    erased = erase_subject(tenant_id=tenant.pk, subject="ada", cause="api", cause_ref="", reason="asked")

    assert "ada@example.com" in told
    assert '"preference"' in told
    assert (erased.counts["recipients"], erased.counts["preferences"]) == (1, 1)
    assert rest.get("/v1/recipients/ada").status_code == 404
    assert rows_of(tenant, (Recipient, Preference)) == [1, 0]


def test_the_same_recipients_from_both_ends_at_once(together: Callable[..., list[Any]], tenant: Tenant) -> None:
    """Rows are made and locked in one order, so crowds that name the same recipients do not deadlock."""
    from deliveries.recipients.upsert import merge_recipients

    names = [f"r{number}" for number in range(20)]

    def crowd(mine: list[str], attribute: str) -> int:
        said = [(name, {"attributes": {attribute: "x"}}) for name in mine]
        return sum(one.created for one in merge_recipients(tenant_id=tenant.pk, said=said))

    made = together(*[lambda n=n: crowd(names[:: 1 if n % 2 else -1], f"c{n}") for n in range(8)])

    assert sum(made) == 20
    with tenant_scope(tenant.pk):
        people = list(Recipient.objects.filter(tenant_id=tenant.pk))
    assert [len(one.person["attributes"]) for one in people] == [8] * 20


def test_each_is_told_at_an_endpoint_of_their_own(journey: Journey, httpserver: HTTPServer, settings: Any) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    for key, status in (("one", 204), ("two", 410)):
        httpserver.expect_request(f"/{key}").respond_with_data("", status)
        put_endpoint(tenant_id=journey.tenant.pk, key=key, url=httpserver.url_for(f"/{key}"))
    told = {"ada": "one", "eve": "two", "bob": "nowhere"}
    people = [(subject, {"addresses": {"webhook": key}}) for subject, key in told.items()]
    merge_recipients(tenant_id=journey.tenant.pk, said=people)
    journey.publish({"channel": "webhook", "endpoint": {"of": "recipient"}})

    runs = [journey.start(subject) for subject in (*told, "nobody")]
    journey.work()

    assert [(one.status, one.error) for one in map(journey.delivery, runs)] == [
        ("delivered", ""),
        ("permanent_failure", "http 410"),
        ("permanent_failure", "no_endpoint"),
        ("permanent_failure", "no_recipient"),
    ]
    assert sorted(request.path for request, _ in httpserver.log) == ["/one", "/two"]
    enabled = journey.read(lambda: dict(Endpoint.objects.values_list("key", "enabled")))
    assert enabled == {"one": True, "two": False}, "410 disables the endpoint that was asked"
