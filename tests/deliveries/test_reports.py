"""What providers tell later: verified, counted once, never backwards; told to the run and to its waits."""

import base64
import hashlib
import hmac
import itertools
import json
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client
from pytest_httpserver import HTTPServer

from chimeway_py.embedded.mailbox import Mailbox
from deliveries.models import Delivery, Provider
from deliveries.providers.reports import Report, ReportKind
from deliveries.recipients.why import why
from deliveries.services.providers import put_provider
from deliveries.services.reports import StillSending, take_report
from deliveries.services.resend import resend_delivery
from signals_app.models import Signal
from tenants.models import Tenant
from tests.deliveries.conftest import Journey
from tests.deliveries.doubles import HangsUp
from tests.steps.owing import make_due
from workflows.explain import explain_run
from workflows.models import Run
from workflows.services.unknown import settle_unknown
from workflows.verify import verify_trace

HELLO = {"hello": {"subject": "Hello", "text": "Hello"}}
SMS = {"channel": "sms", "template": "hello"}
BASE = "https://notify.example.com"


@pytest.fixture(autouse=True)
def _places(settings: Any, httpserver: HTTPServer) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    settings.PUBLIC_URL = BASE
    settings.ALLOWED_HOSTS = ["*"]
    settings.SECURE_SSL_REDIRECT = False
    httpserver.expect_request("/2010-04-01/Accounts/AC1/Messages.json").respond_with_json({"sid": "SM1"}, 201)


def twilio(owner: Tenant, url: str, key: str = "phones") -> Provider:
    config = {"account_sid": "AC1", "from": "+15550001111", "url": url}
    return put_provider(
        tenant_id=owner.pk, key=key, kind="twilio", config=config, credentials={"auth_token": f"token-of-{key}"}
    )[0]


@pytest.fixture
def phones(tenant: Tenant, httpserver: HTTPServer) -> Provider:
    """A provider that takes every message as SM1."""
    return twilio(tenant, httpserver.url_for("").rstrip("/"))


def sent(journey: Journey, *more: dict[str, Any], **step: Any) -> Run:
    """A run whose message was taken."""
    journey.publish({**SMS, **step}, *more, templates=HELLO)
    run = journey.start("bob", phone="+4366012345678")
    journey.work()
    return run


def tell(journey: Journey, run: Run, kind: str, code: str = "", provider: str = "phones") -> str:
    delivery = journey.deliveries(run)[0]
    report = Report(ReportKind(kind), str(delivery.public_id), code=code)
    return take_report(tenant_id=journey.tenant.pk, provider=provider, report=report)


def signals(journey: Journey) -> list[str]:
    rows = Signal.objects.filter(tenant_id=journey.tenant.pk, source="provider").order_by("id")
    return journey.read(lambda: list(rows.values_list("name", flat=True)))


ORDERS = [
    # what is told, one after the other; where the delivery stands at last; the verdict of each
    (["delivered"], "delivered", ["accepted"]),
    (["delivered", "delivered"], "delivered", ["accepted", "repeated"]),
    (["delivered", "failed", "failed", "opened"], "delivered", ["accepted", "late", "repeated", "accepted"]),
    (["failed"], "permanent_failure", ["accepted"]),
    (["failed", "delivered"], "delivered", ["accepted", "accepted"]),
    (["failed", "delivered", "failed"], "delivered", ["accepted", "accepted", "repeated"]),
    (["opened", "failed"], "delivered", ["accepted", "late"]),
    (["clicked", "delivered"], "delivered", ["accepted", "repeated"]),  # known: what was clicked has arrived
    (["bounced"], "bounced", ["accepted"]),
    (["delivered", "bounced"], "bounced", ["accepted", "accepted"]),  # mail servers take first and return later
    (["bounced", "delivered"], "bounced", ["accepted", "late"]),
    (["bounced", "failed"], "bounced", ["accepted", "repeated"]),
    (["opened", "bounced"], "delivered", ["accepted", "late"]),
    (["complained"], "delivered", ["accepted"]),
    (["failed", "bounced"], "bounced", ["accepted", "accepted"]),
]


@pytest.mark.parametrize(("kinds", "status", "verdicts"), ORDERS)
def test_a_delivery_only_moves_forward(
    kinds: list[str], status: str, verdicts: list[str], journey: Journey, phones: Provider
) -> None:
    run = sent(journey)

    assert [tell(journey, run, kind) for kind in kinds] == verdicts
    assert journey.delivery(run).status == status
    news = [kind for kind, verdict in zip(kinds, verdicts, strict=True) if verdict == "accepted"]
    assert signals(journey) == [f"notification.{kind}" for kind in news]
    assert list(verify_trace(tenant_id=journey.tenant.pk)) == []


def test_whatever_the_order_what_arrived_stays_arrived(journey: Journey, phones: Provider) -> None:
    good = ["delivered", "opened", "clicked"]
    journey.publish(SMS, templates=HELLO)
    for order in itertools.permutations([*good, "failed"]):
        run = journey.start("bob", phone="+4366012345678")
        journey.work()
        for kind in order:
            tell(journey, run, kind)
        assert journey.delivery(run).status == "delivered", order


def test_the_run_follows_what_is_reported(journey: Journey, phones: Provider, smtp_sink: Mailbox) -> None:
    mail = {"key": "mail", "channel": "email", "template": "hello", "to": {"const": "late@example.com"}}
    run = sent(
        journey,
        {"key": "rest", "kind": "wait", "for": "P1D", "on_timeout": "complete"},
        mail,
        on_outcome={"permanent_failure": {"goto": "mail"}},
    )
    waiting = journey.run(run).state

    tell(journey, run, "failed", "30003")
    told = journey.read(lambda: explain_run(tenant_id=run.tenant_id, public_id=run.public_id)).last_outcome
    journey.work()
    journey.work()

    assert waiting == "waiting"
    assert told is not None
    assert (told.outcome, told.error) == ("permanent_failure", "reported failed 30003")
    assert [(one.status, one.error) for one in journey.deliveries(run)] == [
        ("permanent_failure", "reported failed 30003"),
        ("delivered", ""),
    ]
    assert len(smtp_sink.to("late@example.com")) == 1


def test_a_wait_ends_when_the_message_is_opened(journey: Journey, phones: Provider) -> None:
    wait = {
        "key": "rest",
        "kind": "wait",
        "for": "P1D",
        "signals": [{"name": "notification.opened", "match": {"run_id": "run.id"}, "then": "complete"}],
    }
    opened, other = sent(journey, wait), journey.start("bob", phone="+4366012345678")
    journey.work()

    tell(journey, opened, "opened")
    journey.work()

    assert (journey.run(opened).state, journey.run(other).state) == ("completed", "waiting")


def test_a_report_ends_what_nobody_saw_the_end_of(journey: Journey, tenant: Tenant) -> None:
    with HangsUp() as dropping:
        twilio(tenant, dropping.url)
        run = sent(journey, at_most_once=True)
        unknown = journey.delivery(run).status, journey.run(run).status_reason
        told = tell(journey, run, "delivered")
        journey.work()

        assert len(dropping.requests) == 1
    assert (unknown, told) == (("unknown", "unknown_outcome"), "accepted")
    assert (journey.delivery(run).status, journey.run(run).state) == ("delivered", "completed")
    assert list(verify_trace(tenant_id=tenant.pk)) == []


@pytest.mark.parametrize(
    ("kind", "status", "desk"),
    [
        ("failed", "permanent_failure", "Failed: it could not be sent (reported failed 30003)."),
        ("bounced", "bounced", "(reported bounced 30003); no try was answered with yes."),
    ],
)
def test_what_the_provider_said_is_kept_when_it_settles_what_nobody_saw(
    kind: str, status: str, desk: str, journey: Journey, tenant: Tenant, httpserver: HTTPServer
) -> None:
    httpserver.clear_all_handlers()
    httpserver.expect_request("/2010-04-01/Accounts/AC1/Messages.json").respond_with_data("", 500)
    twilio(tenant, httpserver.url_for("").rstrip("/"))
    run = sent(journey, at_most_once=True, on_outcome={"bounced": "complete"})
    tell(journey, run, kind, "30003")
    journey.work()

    delivery = journey.delivery(run)
    outcome = journey.read(lambda: explain_run(tenant_id=run.tenant_id, public_id=run.public_id)).last_outcome
    assert (delivery.status, delivery.error) == (status, f"reported {kind} 30003")
    assert journey.read(lambda: why(delivery, delivery.planned_at)).endswith(desk)
    assert outcome is not None
    assert (outcome.outcome, outcome.error) == (status, f"reported {kind} 30003")
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def test_a_report_that_it_arrived_stops_the_next_try(journey: Journey, tenant: Tenant) -> None:
    with HangsUp() as dropping:
        twilio(tenant, dropping.url)
        run = sent(journey, retry={"initial": "PT1H"})
        tell(journey, run, "delivered")
        make_due(tenant)
        journey.work()

        assert len(dropping.requests) == 1
    delivery = journey.delivery(run)
    assert (delivery.status, delivery.error, journey.run(run).state) == ("delivered", "", "completed")


@pytest.mark.parametrize("rule", [{}, {"temporary_failure": {"goto": "rest"}}])
@pytest.mark.parametrize("kind", ["delivered", "complained"])
def test_good_news_lifts_a_failure_whose_tries_may_have_been_taken(
    rule: dict[str, Any], kind: str, journey: Journey, tenant: Tenant
) -> None:
    rest = {"key": "rest", "kind": "wait", "for": "P1D", "on_timeout": "complete"}
    failed = next(iter(rule), "retries_exhausted")
    with HangsUp() as dropping:
        twilio(tenant, dropping.url)
        run = sent(journey, rest, retry={"max_attempts": 1}, on_outcome=rule or {failed: {"goto": "rest"}})
    before = journey.delivery(run)
    said = journey.read(lambda: why(journey.delivery(run), before.planned_at))

    verdicts = [tell(journey, run, one) for one in (kind, "failed", kind)]

    after = journey.delivery(run)
    assert before.status == failed
    assert said == (
        "It may or may not have arrived: no try was answered with yes (network RemoteProtocolError), "
        "and one may have been taken."
    )
    assert verdicts == ["accepted", "late", "repeated"]
    assert (after.status, after.error) == ("delivered", "")
    assert why(after, before.planned_at).startswith("Sent at ")
    line = journey.trace(run)[-1]
    assert (line.reason, line.context["outcome"]) == ("outcome_noted", "delivered")
    assert line.context["reported"] == f"reported {kind}"
    assert signals(journey) == [f"notification.{kind}"]
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def test_whoever_was_asked_first_may_say_that_it_arrived_after_all(journey: Journey, tenant: Tenant) -> None:
    with HangsUp() as dropping:
        twilio(tenant, dropping.url)
        twilio(tenant, dropping.url, key="others")
        run = sent(journey, at_most_once=True, providers=["phones", "others"])
        first = Provider.objects.filter(tenant_id=tenant.pk, key="phones")
        journey.read(lambda: first.update(enabled=False))
        key = journey.delivery(run).key
        settle_unknown(tenant_id=tenant.pk, key=key, outcome="retry", reason="they say no")
        journey.work()

    assert journey.delivery(run).provider == "others"
    assert tell(journey, run, "failed") == "ignored"
    assert tell(journey, run, "delivered", provider="nobody") == "ignored"
    assert tell(journey, run, "delivered") == "accepted"
    assert journey.delivery(run).status == "delivered"


def test_bad_news_of_a_message_on_its_way_has_to_come_again(journey: Journey, phones: Provider) -> None:
    run = sent(journey)
    journey.set_status(run, "sending")

    with pytest.raises(StillSending):
        tell(journey, run, "failed")

    assert journey.delivery(run).failed_at is None
    assert tell(journey, run, "delivered") == "accepted"


def test_who_complained_is_left_alone_until_somebody_insists(journey: Journey, phones: Provider) -> None:
    run = sent(journey)
    tell(journey, run, "complained")
    again = journey.start("bob", phone="+4366012345678")
    journey.work()
    (delivery,) = journey.deliveries(again)
    resend_delivery(tenant_id=journey.tenant.pk, delivery=delivery.public_id, reason="asked for it")
    journey.work()

    assert (delivery.status, delivery.error) == ("suppressed", "complained_before")
    assert journey.deliveries(again)[1].status == "delivered"


def test_a_complaint_counts_whichever_message_it_was_about(journey: Journey, phones: Provider) -> None:
    first = sent(journey)
    for _ in range(2):
        journey.start("bob", phone="+4366012345678")
        journey.work()
    tell(journey, first, "complained")

    later = journey.start("bob", phone="+4366012345678")
    other = journey.start("ada", phone="+4366099999999")
    journey.work()

    delivery = journey.delivery(later)
    assert (delivery.status, delivery.error) == ("suppressed", "complained_before")
    assert journey.delivery(other).status == "delivered"


def test_many_at_once_are_told_once(journey: Journey, phones: Provider, together: Callable[..., list[Any]]) -> None:
    run = sent(journey)

    verdicts = together(*[lambda: tell(journey, run, "opened") for _ in range(8)])

    assert sorted(map(str, verdicts)) == ["accepted"] + ["repeated"] * 7
    assert signals(journey) == ["notification.opened"]


def test_no_account_speaks_for_another(journey: Journey, phones: Provider, other_tenant: Tenant) -> None:
    run = sent(journey)
    delivery = journey.delivery(run)
    twilio(journey.tenant, "https://example.com", key="others")
    twilio(other_tenant, "https://example.com")

    report = Report(ReportKind.BOUNCED, str(delivery.public_id), "SM1")
    assert take_report(tenant_id=journey.tenant.pk, provider="others", report=report) == "ignored"
    assert take_report(tenant_id=other_tenant.pk, provider="phones", report=report) == "ignored"
    assert journey.delivery(run).bounced_at is None
    by_ref = Report(ReportKind.BOUNCED, "not-an-id", "SM1")
    assert take_report(tenant_id=journey.tenant.pk, provider="phones", report=by_ref) == "accepted"


# -- Over HTTP --


def twilio_post(client: Client, provider: Provider, delivery: str, fields: dict[str, str], **changed: Any) -> Any:
    path = f"/hooks/providers/{provider.public_id}?delivery={delivery}"
    signed = changed.get("url", BASE + path) + "".join(f"{name}{fields[name]}" for name in sorted(fields))
    token = changed.get("token", "token-of-phones")
    signature = base64.b64encode(hmac.digest(token.encode(), signed.encode(), "sha1")).decode()
    return client.post(
        path,
        urlencode(changed.get("sent", fields)),
        content_type="application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": changed.get("signature", signature)},
    )


def test_twilio_reports(client: Client, journey: Journey, phones: Provider) -> None:
    run = sent(journey)
    id_ = str(journey.delivery(run).public_id)

    answers = [
        twilio_post(client, phones, id_, {"MessageSid": "SM1", "MessageStatus": status})
        for status in ("sent", "delivered", "delivered", "undelivered", "read")
    ]

    assert [answer.json() for answer in answers] == [
        {"accepted": 0, "repeated": 0, "late": 0, "ignored": 0},
        {"accepted": 1, "repeated": 0, "late": 0, "ignored": 0},
        {"accepted": 0, "repeated": 1, "late": 0, "ignored": 0},
        {"accepted": 0, "repeated": 0, "late": 1, "ignored": 0},
        {"accepted": 1, "repeated": 0, "late": 0, "ignored": 0},
    ]
    assert signals(journey) == ["notification.delivered", "notification.opened"]


FORGED: list[dict[str, Any]] = [
    {"token": "another token"},
    {"signature": ""},
    {"signature": "é"},
    {"url": "https://notify.example.com/hooks/providers/other"},
    {"sent": {"MessageSid": "SM1", "MessageStatus": "failed"}},
]


@pytest.mark.parametrize("changed", FORGED)
def test_what_twilio_did_not_sign_changes_nothing(
    changed: dict[str, Any], client: Client, journey: Journey, phones: Provider
) -> None:
    run = sent(journey)
    id_ = str(journey.delivery(run).public_id)

    answer = twilio_post(client, phones, id_, {"MessageSid": "SM1", "MessageStatus": "delivered"}, **changed)

    assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")
    assert journey.delivery(run).confirmed_at is None


def test_a_message_on_its_way_is_reported_again(client: Client, journey: Journey, phones: Provider) -> None:
    run = sent(journey)
    journey.set_status(run, "sending")

    answer = twilio_post(client, phones, str(journey.delivery(run).public_id), {"MessageStatus": "failed"})

    assert (answer.status_code, answer.json()["code"]) == (503, "still_sending")


def test_nobodys_provider_and_one_that_cannot_verify_look_the_same(
    client: Client, journey: Journey, tenant: Tenant
) -> None:
    pm = put_provider(
        tenant_id=tenant.pk,
        key="pm",
        kind="postmark",
        config={"from": "us@example.com"},
        credentials={"server_token": "t"},
    )[0]
    teams = put_provider(tenant_id=tenant.pk, key="t", kind="teams", credentials={"url": "https://example.com"})[0]

    answers = [
        client.post(f"/hooks/providers/{one}", "{}", content_type="application/json")
        for one in (uuid.uuid4(), pm.public_id, teams.public_id)
    ]

    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, "not_found")}


# -- Big senders, as anymail reads them --

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = base64.b64encode(
    KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
).decode()


@pytest.fixture
def esp(httpserver: HTTPServer, settings: Any) -> HTTPServer:
    """Their interfaces, all of which take every mail."""
    settings.ANYMAIL = {f"{name}_API_URL": httpserver.url_for("/") for name in ("SENDGRID", "POSTMARK", "MAILGUN")}
    httpserver.expect_request("/mail/send").respond_with_data("", 202, {"X-Message-Id": "sg-1"})
    httpserver.expect_request("/email").respond_with_json(
        {"ErrorCode": 0, "MessageID": "pm-1", "To": "a@example.com", "Message": "OK"}
    )
    httpserver.expect_request("/mg.example.com/messages").respond_with_json({"id": "<mg-1>", "message": "Queued."})
    return httpserver


def big(owner: Tenant, kind: str) -> Provider:
    known: dict[str, tuple[dict[str, str], dict[str, str]]] = {
        "sendgrid": ({}, {"api_key": "k", "webhook_key": PUBLIC}),
        "postmark": ({}, {"server_token": "k", "webhook_secret": "us:secret"}),
        "mailgun": ({"domain": "mg.example.com"}, {"api_key": "k", "webhook_signing_key": "signs"}),
    }
    config, credentials = known[kind]
    config |= {"from": "us@example.com"}
    return put_provider(tenant_id=owner.pk, key=kind, kind=kind, config=config, credentials=credentials)[0]


def sendgrid_post(delivery: str, word: str, **more: str) -> tuple[bytes, dict[str, str]]:
    event = {
        "event": word,
        "sg_event_id": "e1",
        "timestamp": 1732000000,
        "email": "a@example.com",
        "sg_message_id": "x",
    }
    body = json.dumps([event | {"chimeway_delivery": delivery, "anymail_id": "i"} | more]).encode()
    signature = KEY.sign(b"1732000000" + body, ec.ECDSA(hashes.SHA256()))
    names = ("Signature", "Timestamp")
    values = (base64.b64encode(signature).decode(), "1732000000")
    return body, {f"X-Twilio-Email-Event-Webhook-{name}": value for name, value in zip(names, values, strict=True)}


def postmark_post(delivery: str, word: str, **said: str) -> tuple[bytes, dict[str, str]]:
    event = {"MessageID": "pm-1", "Metadata": {"chimeway_delivery": delivery}, "Recipient": "a@example.com"}
    kinds = {
        "delivered": "Delivery",
        "bounce": "Bounce",
        "open": "Open",
        "click": "Click",
        "spamreport": "SpamComplaint",
    }
    more = {"Type": "HardBounce"} if word == "bounce" else {}
    more |= {"Type": "SpamComplaint"} if word == "spamreport" else {}
    body = json.dumps(event | {"RecordType": kinds[word]} | more | said).encode()
    return body, {"Authorization": f"Basic {base64.b64encode(b'us:secret').decode()}"}


def mailgun_post(delivery: str, word: str) -> tuple[bytes, dict[str, str]]:
    words = {
        "delivered": "delivered",
        "bounce": "failed",
        "open": "opened",
        "click": "clicked",
        "spamreport": "complained",
    }
    signature = hmac.new(b"signs", b"1732000000tok", hashlib.sha256).hexdigest()
    event = {
        "event": words[word],
        "id": "e1",
        "timestamp": 1732000000.0,
        "severity": "permanent",
        "recipient": "a@example.com",
        "message": {"headers": {"message-id": "mg-1"}},
        "user-variables": {"chimeway_delivery": delivery},
    }
    signed = {"timestamp": "1732000000", "token": "tok", "signature": signature}
    return json.dumps({"signature": signed, "event-data": event}).encode(), {}


POSTS: dict[str, Callable[..., tuple[bytes, dict[str, str]]]] = {
    "sendgrid": sendgrid_post,
    "postmark": postmark_post,
    "mailgun": mailgun_post,
}
WORDS = {
    "delivered": "delivered",
    "bounce": "bounced",
    "open": "opened",
    "click": "clicked",
    "spamreport": "complained",
}


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("kind", POSTS)
def test_big_senders_report(
    kind: str, word: str, client: Client, journey: Journey, esp: HTTPServer, tenant: Tenant
) -> None:
    provider = big(tenant, kind)
    journey.publish({"channel": "email", "template": "hello", "to": {"const": "a@example.com"}}, templates=HELLO)
    run = journey.start("bob")
    journey.work()
    delivery = journey.delivery(run)
    body, headers = POSTS[kind](str(delivery.public_id), word)
    path = f"/hooks/providers/{provider.public_id}"

    answer = client.post(path, body, content_type="application/json", headers=headers)
    forged = client.post(path, body.replace(b"a@example.com", b"b@example.com"), "application/json", headers={})

    assert (delivery.status, answer.status_code, answer.json()) == (
        "delivered",
        200,
        {"accepted": 1, "repeated": 0, "late": 0, "ignored": 0},
    )
    assert signals(journey) == [f"notification.{WORDS[word]}"]
    assert journey.delivery(run).status == ("bounced" if word == "bounce" else "delivered")
    if kind != "mailgun":  # which signs no body, only a token of its own
        assert forged.status_code == 401


SOFT = [
    ("sendgrid", "type", "blocked", "failed"),
    ("sendgrid", "type", "bounce", "bounced"),
    ("postmark", "Type", "SoftBounce", "failed"),
    ("postmark", "Type", "VirusNotification", "failed"),
    ("postmark", "Type", "HardBounce", "bounced"),
    ("postmark", "Type", "BadEmailAddress", "failed"),  # it was not even sent, and is no address of which to learn
]


@pytest.mark.parametrize(("kind", "key", "type_", "told"), SOFT)
def test_only_what_comes_back_for_good_keeps_later_mails_back(
    kind: str, key: str, type_: str, told: str, client: Client, journey: Journey, esp: HTTPServer, tenant: Tenant
) -> None:
    provider = big(tenant, kind)
    journey.publish({"channel": "email", "template": "hello", "to": {"const": "a@example.com"}}, templates=HELLO)
    run = journey.start("bob")
    journey.work()

    body, headers = POSTS[kind](str(journey.delivery(run).public_id), "bounce", **{key: type_})
    answer = client.post(f"/hooks/providers/{provider.public_id}", body, "application/json", headers=headers)
    again = journey.start("bob")
    journey.work()

    assert answer.json()["accepted"] == 1
    assert signals(journey) == [f"notification.{told}"]
    status, later = ("bounced", "suppressed") if told == "bounced" else ("permanent_failure", "delivered")
    assert (journey.delivery(run).status, journey.delivery(again).status) == (status, later)
    if told == "failed" and type_ != "BadEmailAddress":
        assert journey.delivery(run).error == f"reported failed {type_}"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"signature": 1}', b'"x"', b"\xff", b"[[[[", b"null"])
@pytest.mark.parametrize("kind", POSTS)
def test_a_body_of_no_sense_is_refused(kind: str, body: bytes, client: Client, tenant: Tenant) -> None:
    provider = big(tenant, kind)
    _, headers = POSTS[kind]("x", "delivered")
    if kind == "sendgrid":
        signature = KEY.sign(b"1732000000" + body, ec.ECDSA(hashes.SHA256()))
        headers["X-Twilio-Email-Event-Webhook-Signature"] = base64.b64encode(signature).decode()

    answer = client.post(f"/hooks/providers/{provider.public_id}", body, "application/json", headers=headers)

    assert answer.status_code in (200, 400, 401)
    if answer.status_code == 200:
        assert answer.json() == {"accepted": 0, "repeated": 0, "late": 0, "ignored": 0}


def test_a_failure_after_the_arrival_is_shown_and_changes_nothing(
    rest: Any, journey: Journey, phones: Provider
) -> None:
    run = sent(journey)
    tell(journey, run, "delivered")
    before = journey.trace(run)

    assert tell(journey, run, "failed") == "late"
    (shown,) = rest.get("/v1/deliveries", {"provider": "phones"}).json()["items"]
    assert (shown["status"], shown["error"]) == ("delivered", "")
    assert shown["failed_at"] > shown["confirmed_at"]
    assert (journey.trace(run), signals(journey)) == (before, ["notification.delivered"])


def test_deliveries_show_what_was_reported(rest: Any, journey: Journey, phones: Provider) -> None:
    run = sent(journey)
    tell(journey, run, "clicked")

    (shown,) = rest.get("/v1/deliveries", {"provider": "phones"}).json()["items"]
    assert rest.get("/v1/deliveries", {"provider": "others"}).json()["items"] == []
    assert shown["clicked_at"] == shown["confirmed_at"]
    assert shown["clicked_at"] is not None
    assert (shown["opened_at"], shown["complained_at"], shown["failed_at"]) == (None, None, None)
    assert journey.read(lambda: Delivery.objects.filter(clicked_at__isnull=False).count()) == 1
