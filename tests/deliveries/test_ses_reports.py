"""Reports of SES by way of SNS: Amazon signs them, and they have to be about the account's own topic."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from django.test import Client
from pytest_httpserver import HTTPServer

from deliveries.models import Delivery, Provider
from deliveries.providers import sns
from deliveries.services.providers import put_provider
from signals_app.models import Signal
from tests.deliveries.conftest import Journey
from workflows.models import Run

TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail"
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/cert.pem"
KEY = rsa.generate_private_key(65537, 2048)
MAIL = {"channel": "email", "template": "hello", "to": {"const": "a@example.com"}}


@pytest.fixture(autouse=True)
def _amazon(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[None]:
    """What is at Amazon's address: the one thing here that is not real."""
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    settings.SECURE_SSL_REDIRECT = False
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, KEY.public_key(), 1, now, now + timedelta(days=1))
    pem = made.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    monkeypatch.setattr(sns, "certificate_at", {CERTIFICATE: pem}.get)
    return


@pytest.fixture
def ses(journey: Journey, httpserver: HTTPServer) -> Provider:
    """A provider that takes every mail."""
    httpserver.expect_request("/v2/email/outbound-emails").respond_with_json({"MessageId": "ses-1"})
    config = {
        "from": "us@example.com",
        "region": "eu-west-1",
        "topic": TOPIC,
        "url": httpserver.url_for("").rstrip("/"),
    }
    secret = {"access_key_id": "k", "secret_access_key": "s"}
    return put_provider(tenant_id=journey.tenant.pk, key="ses", kind="ses", config=config, credentials=secret)[0]


@pytest.fixture
def run(journey: Journey, ses: Provider) -> Run:
    """A run whose mail was taken."""
    journey.publish(MAIL, templates={"hello": {"text": "t"}})
    run = journey.start("bob")
    journey.work()
    return run


def event(delivery: Delivery, kind: str, **more: Any) -> dict[str, Any]:
    mail = {"messageId": "ses-1", "tags": {"chimeway_delivery": [str(delivery.public_id)]}}
    return {"eventType": kind, "mail": mail, **more}


def post(client: Client, provider: Provider, message: Any, **changed: Any) -> Any:
    said = {"Type": "Notification", "MessageId": "m", "TopicArn": TOPIC, "Timestamp": "2026-11-20T09:00:00.000Z"}
    said |= {"Message": json.dumps(message)} | changed.get("signed", {})
    content = "".join(f"{name}\n{said[name]}\n" for name in sorted(said)).encode()
    version, algorithm = changed.get("version", ("2", hashes.SHA256()))
    signature = changed.get("key", KEY).sign(content, padding.PKCS1v15(), algorithm)
    said |= {"Signature": base64.b64encode(signature).decode(), "SignatureVersion": version}
    body = json.dumps(said | {"SigningCertURL": CERTIFICATE} | changed.get("sent", {}))
    return client.post(f"/hooks/providers/{provider.public_id}", body, content_type="text/plain; charset=UTF-8")


KINDS = [
    ("Delivery", {}, "delivered", 1),
    ("Open", {}, "delivered", 1),
    ("Complaint", {}, "delivered", 1),
    ("Reject", {}, "permanent_failure", 1),
    ("Bounce", {"bounce": {"bounceType": "Permanent"}}, "bounced", 1),
    ("Bounce", {"bounce": {"bounceType": "Transient"}}, "permanent_failure", 1),  # given up, or it were a delay
    ("Bounce", {"bounce": {"bounceType": "Undetermined"}}, "permanent_failure", 1),
    ("DeliveryDelay", {}, "delivered", 0),
]


@pytest.mark.parametrize(("kind", "more", "status", "accepted"), KINDS)
@pytest.mark.parametrize("version", [("1", hashes.SHA1()), ("2", hashes.SHA256())])  # noqa: S303
def test_ses_reports(
    kind: str,
    more: dict[str, Any],
    status: str,
    accepted: int,
    version: Any,
    client: Client,
    journey: Journey,
    ses: Provider,
    run: Run,
) -> None:
    answer = post(client, ses, event(journey.delivery(run), kind, **more), version=version)

    assert (answer.status_code, answer.json()["accepted"]) == (200, accepted)
    assert journey.delivery(run).status == status


def test_what_ses_gave_up_is_told_to_the_run_and_keeps_no_later_mail_back(
    client: Client, journey: Journey, ses: Provider
) -> None:
    rest = {"key": "rest", "kind": "wait", "for": "P1D"}
    journey.publish(MAIL, rest, templates={"hello": {"text": "t"}})
    run = journey.start("bob")
    journey.work()
    full = {"bounce": {"bounceType": "Transient", "bounceSubType": "MailboxFull"}}

    post(client, ses, event(journey.delivery(run), "Bounce", **full))
    again = journey.start("bob")
    journey.work()

    line = journey.trace(run)[-1]
    assert journey.delivery(run).error == "reported failed MailboxFull"
    assert (line.reason, line.context["outcome"]) == ("outcome_noted", "permanent_failure")
    assert journey.read(lambda: Signal.objects.get(source="provider").name) == "notification.failed"
    assert journey.delivery(again).status == "delivered"


def test_an_answer_of_somebody_who_is_away_undoes_no_delivery(
    client: Client, journey: Journey, ses: Provider, run: Run
) -> None:
    away = {"bounce": {"bounceType": "Transient", "bounceSubType": "General"}}
    post(client, ses, event(journey.delivery(run), "Delivery"))

    answer = post(client, ses, event(journey.delivery(run), "Bounce", **away))

    assert answer.json()["late"] == 1
    assert (journey.delivery(run).status, journey.run(run).state) == ("delivered", "completed")


@pytest.mark.parametrize("code", [None, "bob@example.com", "a\0b"])
def test_only_a_code_is_kept_of_a_bounce(code: Any, client: Client, journey: Journey, ses: Provider, run: Run) -> None:
    post(client, ses, event(journey.delivery(run), "Bounce", bounce={"bounceType": "Transient", "bounceSubType": code}))

    assert journey.delivery(run).error == "reported failed"


FORGED: list[dict[str, Any]] = [
    {"key": rsa.generate_private_key(65537, 2048)},
    {"signed": {"TopicArn": "arn:aws:sns:eu-west-1:666666666666:mine"}},
    {"sent": {"Message": "{}"}},
    {"sent": {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com.evil.example/cert.pem"}},
    {"sent": {"SigningCertURL": "https://evil.example/sns.eu-west-1.amazonaws.com/cert.pem"}},
    {"sent": {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com/other.pem"}},
    {"sent": {"SignatureVersion": "3"}},
]


@pytest.mark.parametrize("changed", FORGED)
def test_what_is_not_of_the_topic_changes_nothing(
    changed: dict[str, Any], client: Client, journey: Journey, ses: Provider, run: Run
) -> None:
    answer = post(client, ses, event(journey.delivery(run), "Delivery"), **changed)

    assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")
    assert journey.delivery(run).confirmed_at is None


@pytest.mark.parametrize("sent", [{"Type": "Other"}, {"Signature": "é"}, {"TopicArn": 1}, {"SignatureVersion": None}])
def test_what_sns_does_not_send_is_refused(sent: dict[str, Any], client: Client, ses: Provider) -> None:
    assert post(client, ses, {}, sent=sent).status_code == 400


@pytest.mark.parametrize("message", [None, [], "x", {}, {"eventType": "Delivery"}, {"eventType": "Bounce", "mail": 1}])
def test_what_ses_does_not_publish_is_refused(message: Any, client: Client, ses: Provider) -> None:
    assert post(client, ses, message).status_code == 400


def test_a_subscription_is_confirmed_at_amazon_only(
    client: Client, ses: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    monkeypatch.setattr(sns, "call", lambda method, url, **_: called.append(url))
    good = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
    for url in (good, "https://evil.example/"):
        signed = {"Type": "SubscriptionConfirmation", "SubscribeURL": url, "Token": "t", "Message": "You have chosen …"}
        assert post(client, ses, None, signed=signed).status_code == 200

    assert called == [good]
