"""Each kind of provider: what it is sent, and what its answers mean."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pytest_httpserver import HTTPServer
from werkzeug import Request

from chimeway_py.embedded.mailbox import Mailbox
from chimeway_py.rendering import Rendered
from deliveries.channels.base import Message, Undeliverable
from deliveries.channels.push import PushChannel
from deliveries.channels.sms import SmsChannel
from deliveries.providers.aws_signing import signed
from deliveries.providers.base import Account
from deliveries.providers.mail import is_mailbox
from deliveries.providers.push_encryption import decode, encode, encrypt, private_key_of, public_key_of
from deliveries.providers.registry import provider_kind, provider_kinds
from tenants.models import Tenant
from tests.deliveries.doubles import HangsUp
from tests.deliveries.smtp_script import ScriptedSmtp
from tests.deliveries.test_email import a_message
from workflows.steps.base import Outcome

TEMPORARY, PERMANENT, DELIVERED, UNKNOWN = "temporary_failure", "permanent_failure", "delivered", "unknown"
BROWSER = private_key_of("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94")
_ANY = re.compile(".*")
SECRET = "BTBZMqHH6r4Tts7J_aSIgg"


@pytest.fixture(autouse=True)
def _loopback(settings: Any) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    settings.PUBLIC_URL = "https://notify.example.com"


def account(url: str, kind: str, **config: Any) -> Account:
    """An account whose provider is at this address."""
    said: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
        "twilio": ({"account_sid": "AC1", "from": "+15550001111", "url": url}, {"auth_token": "tok"}),
        "slack": ({"api": url}, {"token": "xoxb-1"}),
        "teams": ({}, {"url": url}),
        "discord": ({}, {"url": url}),
        "web_push": ({"contact": "mailto:ops@example.com"}, {}),
        "ses": (
            {"from": "Acme <us@example.com>", "region": "eu-west-1", "url": url},
            {"access_key_id": "AKID", "secret_access_key": "shh"},
        ),
        "sendgrid": ({"from": "us@example.com"}, {"api_key": "sg"}),
        "postmark": ({"from": "us@example.com"}, {"server_token": "pm"}),
        "mailgun": ({"from": "us@example.com", "domain": "example.com"}, {"api_key": "mg"}),
    }
    plain, secret = provider_kind(kind).made(*said[kind])
    return Account(1, "0192f0c0-0000-7000-8000-00000000000a", "acme", plain | config, secret)


def message(kind: str, url: str = "", **changed: Any) -> Message:
    """A message for the channel of a kind."""
    recipients = {
        "sms": "+4366012345678",
        "chat": "C123",
        "email": "anna@example.com",
        "push": json.dumps(subscription(f"{url}/push/abc")),
    }
    return a_message(recipient=recipients[provider_kind(kind).channel], **changed)


def subscription(endpoint: str) -> dict[str, Any]:
    return {"endpoint": endpoint, "keys": {"p256dh": encode(public_key_of(BROWSER)), "auth": SECRET}}


def send(kind: str, url: str, **changed: Any) -> Outcome:
    return provider_kind(kind).send(message(kind, url, **changed), account(url, kind))


def asked(server: HTTPServer) -> Request:
    ((request, _),) = server.log
    return request


@pytest.fixture
def esp(httpserver: HTTPServer, settings: Any) -> HTTPServer:
    """The interfaces of big senders, at an address of this machine."""
    names = ("SENDGRID", "POSTMARK", "MAILGUN")
    settings.ANYMAIL = {f"{name}_API_URL": httpserver.url_for("/") for name in names}
    return httpserver


ANSWERED: Mapping[str, tuple[Any, str]] = {  # what a provider says when it took the message, and its name for it
    "twilio": ({"sid": "SM1", "status": "queued"}, "SM1"),
    "slack": ({"ok": True, "ts": "1.2"}, "1.2"),
    "teams": ({}, ""),
    "discord": ({"id": "77"}, "77"),
    "web_push": ({}, ""),
    "ses": ({"MessageId": "ses-1"}, "ses-1"),
    "sendgrid": ({}, "*"),
    "postmark": ({"ErrorCode": 0, "MessageID": "pm-1", "To": "anna@example.com", "Message": "OK"}, "pm-1"),
    "mailgun": ({"id": "<mg-1@example.com>", "message": "Queued. Thank you."}, "<mg-1@example.com>"),
}


@pytest.mark.parametrize("kind", sorted(ANSWERED))
def test_what_a_provider_takes_is_delivered_under_its_own_name(kind: str, esp: HTTPServer) -> None:
    said, ref = ANSWERED[kind]
    esp.expect_request(_ANY).respond_with_json(said, 202 if kind == "sendgrid" else 200)

    outcome = send(kind, esp.url_for("").rstrip("/"))

    assert (outcome.word, outcome.error) == (DELIVERED, "")
    found = outcome.context.get("provider_ref", "")
    assert found if ref == "*" else found == ref


STATUSES = [
    # status of the answer, word, retryable, whether the message may be on its way all the same
    (400, PERMANENT, False, False),
    (401, TEMPORARY, True, False),  # the account's fault: another provider may take it
    (403, TEMPORARY, True, False),
    (408, TEMPORARY, True, False),
    (422, PERMANENT, False, False),
    (429, TEMPORARY, True, False),
    (500, TEMPORARY, True, True),
    (502, TEMPORARY, True, True),
    (503, TEMPORARY, True, False),
]


@pytest.mark.parametrize(("status", "word", "retryable", "maybe_done"), STATUSES)
@pytest.mark.parametrize("kind", sorted(ANSWERED))
def test_what_its_answers_mean(
    kind: str, status: int, word: str, retryable: bool, maybe_done: bool, esp: HTTPServer
) -> None:
    headers = {"Retry-After": "7"} if status in (429, 503) else {}
    esp.expect_request(_ANY).respond_with_data("{}", status, headers, content_type="application/json")

    outcome = send(kind, esp.url_for("").rstrip("/"))

    assert (outcome.word, outcome.retryable, outcome.maybe_done) == (word, retryable, maybe_done), outcome
    assert outcome.error == f"http {status}"
    assert outcome.retry_after == (7.0 if headers else None)


@pytest.mark.parametrize("kind", sorted(ANSWERED))
def test_one_that_takes_a_message_and_hangs_up_may_have_done_it(kind: str, settings: Any) -> None:
    with HangsUp() as provider:
        settings.ANYMAIL = {f"{name}_API_URL": f"{provider.url}/" for name in ("SENDGRID", "POSTMARK", "MAILGUN")}
        outcome = send(kind, provider.url)

    assert len(provider.requests) == 1
    assert (outcome.word, outcome.retryable, outcome.maybe_done) == (TEMPORARY, True, True)


@pytest.mark.parametrize("kind", sorted(ANSWERED))
def test_one_that_is_not_there_has_not_done_it(kind: str, settings: Any) -> None:
    nobody = "http://127.0.0.1:1"
    if kind not in ("sendgrid", "postmark", "mailgun"):
        nobody = "http://127.0.0.1:1025"
    settings.ANYMAIL = {f"{name}_API_URL": f"{nobody}/" for name in ("SENDGRID", "POSTMARK", "MAILGUN")}

    outcome = send(kind, nobody)

    assert (outcome.word, outcome.retryable, outcome.maybe_done) == (TEMPORARY, True, False)


@pytest.mark.parametrize("kind", ["twilio", "slack", "teams", "discord", "web_push", "ses"])
def test_no_provider_leads_to_a_private_address(kind: str, settings: Any, httpserver: HTTPServer) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = []

    try:
        outcome = send(kind, httpserver.url_for("").rstrip("/"))
    except Undeliverable as refused:
        outcome = refused.as_outcome()

    assert outcome.word != DELIVERED
    assert httpserver.log == []


def test_twilio_is_sent_a_form_under_the_effect_key(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/2010-04-01/Accounts/AC1/Messages.json").respond_with_json({"sid": "SM1"}, 201)

    send("twilio", httpserver.url_for("").rstrip("/"))

    request = asked(httpserver)
    assert request.headers["Authorization"] == f"Basic {base64.b64encode(b'AC1:tok').decode()}"
    assert request.headers["I-Twilio-Idempotency-Token"] == "run:step:1"
    form = parse_qs(request.get_data(as_text=True))
    assert (form["To"], form["From"], form["Body"]) == (["+4366012345678"], ["+15550001111"], ["Read me"])
    assert form["StatusCallback"] == [
        "https://notify.example.com/hooks/providers/0192f0c0-0000-7000-8000-00000000000a"
        "?delivery=0192f0c0-0000-7000-8000-000000000000#rc=5&rp=all"
    ]


@pytest.mark.parametrize(
    ("code", "word", "error"), [(21211, PERMANENT, "twilio 21211"), (21610, "suppressed", "twilio 21610")]
)
def test_twilio_says_why_not(code: int, word: str, error: str, httpserver: HTTPServer) -> None:
    httpserver.expect_request(_ANY).respond_with_json({"code": code, "message": "+4366012345678 …"}, 400)

    outcome = send("twilio", httpserver.url_for("").rstrip("/"))

    assert (outcome.word, outcome.error) == (word, error)


SLACK = [
    ("channel_not_found", PERMANENT, False, False),
    ("invalid_auth", TEMPORARY, True, False),
    ("ratelimited", TEMPORARY, True, False),
    ("internal_error", TEMPORARY, True, True),
]


@pytest.mark.parametrize(("code", "word", "retryable", "maybe_done"), SLACK)
def test_slack_says_no_under_a_good_status(
    code: str, word: str, retryable: bool, maybe_done: bool, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/chat.postMessage").respond_with_json({"ok": False, "error": code})

    outcome = send("slack", httpserver.url_for("").rstrip("/"))

    assert (outcome.word, outcome.retryable, outcome.maybe_done) == (word, retryable, maybe_done)
    assert outcome.error == f"slack {code}"


def test_a_200_that_says_nothing_is_unknown(httpserver: HTTPServer) -> None:
    httpserver.expect_request(_ANY).respond_with_data("<html>")

    assert send("slack", httpserver.url_for("").rstrip("/")).word == UNKNOWN


def test_no_value_mentions_anybody_in_a_chat(httpserver: HTTPServer) -> None:
    httpserver.expect_request(_ANY).respond_with_json({"ok": True, "id": "1"})
    loud = Rendered(subject="Hi", text="<!channel> & <@U1> @everyone")

    send("slack", httpserver.url_for("").rstrip("/"), content=loud)
    send("discord", httpserver.url_for("/hook"), content=loud)
    send("teams", httpserver.url_for("/hook"), content=loud)

    slack, discord, teams = (json.loads(request.get_data()) for request, _ in httpserver.log)
    assert slack == {"channel": "C123", "text": "*Hi*\n&lt;!channel&gt; &amp; &lt;@U1&gt; @everyone"}
    assert discord["allowed_mentions"] == {"parse": []}
    assert [block["text"] for block in teams["attachments"][0]["content"]["body"]] == [loud.subject, loud.text]


def test_a_long_text_is_cut_where_discord_would_refuse_it(httpserver: HTTPServer) -> None:
    httpserver.expect_request(_ANY).respond_with_json({"id": "1"})

    send("discord", httpserver.url_for("/hook?thread_id=5"), content=Rendered(text="x" * 5000))

    assert len(json.loads(asked(httpserver).get_data())["content"]) == 2000
    assert asked(httpserver).query_string == b"thread_id=5&wait=true"


def test_ses_gets_the_whole_mail_signed(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v2/email/outbound-emails").respond_with_json({"MessageId": "1"})

    send("ses", httpserver.url_for("").rstrip("/"))

    request = asked(httpserver)
    said = json.loads(request.get_data())
    mail = message_from_bytes(base64.b64decode(said["Content"]["Raw"]["Data"]))
    assert (mail["Idempotency-Key"], mail["From"]) == ("run:step:1", "Acme <us@example.com>")
    assert said["EmailTags"] == [{"Name": "chimeway_delivery", "Value": "0192f0c0-0000-7000-8000-000000000000"}]
    assert request.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")


def test_the_signature_is_the_one_that_aws_expects() -> None:
    """The suite of AWS itself: `post-vanilla`, but for the content type that a JSON body has."""
    now = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
    keys = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}

    made = signed("https://example.amazonaws.com/", b"", "us-east-1", keys, now=now, service="service")

    assert made["x-amz-date"] == "20150830T123600Z"
    assert "SignedHeaders=content-type;host;x-amz-date" in made["authorization"]
    assert made["authorization"].endswith(_by_hand(keys["secret_access_key"]))


def _by_hand(secret: str) -> str:
    """The same written out step by step, as the guide of AWS does."""
    import hashlib
    import hmac

    empty = hashlib.sha256(b"").hexdigest()
    canonical = (
        "POST\n/\n\ncontent-type:application/json\nhost:example.amazonaws.com\nx-amz-date:20150830T123600Z\n\n"
        f"content-type;host;x-amz-date\n{empty}"
    )
    to_sign = (
        "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/service/aws4_request\n"
        + hashlib.sha256(canonical.encode()).hexdigest()
    )
    key = f"AWS4{secret}".encode()
    for part in ("20150830", "us-east-1", "service", "aws4_request", to_sign):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


def test_mail_through_a_big_sender_carries_the_effect_key_and_the_delivery(esp: HTTPServer) -> None:
    esp.expect_request(_ANY).respond_with_json({}, 202)

    send("sendgrid", "")

    said = json.loads(asked(esp).get_data())
    assert said["headers"]["Idempotency-Key"] == "run:step:1"
    assert said["custom_args"]["chimeway_delivery"] == "0192f0c0-0000-7000-8000-000000000000"
    assert asked(esp).headers["Authorization"] == "Bearer sg"


def test_a_line_break_in_a_subject_reaches_nobody(esp: HTTPServer) -> None:
    for kind in ("sendgrid", "ses"):
        outcome = send(kind, esp.url_for(""), content=Rendered(subject="a\nBcc: eve@example.com", text="t"))
        assert (outcome.word, outcome.error) == (PERMANENT, "line_break_in_header")
    assert esp.log == []


# -- A mail server of the tenant's own -------------------------------------------------------------------------------


def test_a_mail_server_of_ones_own(smtp_sink: Mailbox) -> None:
    from urllib.parse import urlsplit

    port = urlsplit(smtp_sink.url).port
    config = {"host": "127.0.0.1", "port": port, "security": "none", "from": "Acme <us@acme.example>"}
    own = Account(1, "x", "own", config, {})

    outcome = provider_kind("smtp").send(a_message(recipient="own@example.com"), own)

    (mail,) = smtp_sink.to("own@example.com")
    assert (outcome.word, mail["From"]) == (DELIVERED, "Acme <us@acme.example>")


@pytest.mark.parametrize(
    ("cue", "word", "retryable"),
    [
        ({"BODY": "close"}, UNKNOWN, True),
        ({"MAIL": "530 5.7.0 sign in first"}, TEMPORARY, True),
        ({"MAIL": "550 5.7.1 not you"}, TEMPORARY, True),  # the account's fault: another provider may take it
        ({"RCPT": "550 5.1.1 nobody"}, PERMANENT, False),
    ],
)
def test_what_ones_own_mail_server_says(cue: dict[str, str], word: str, retryable: bool) -> None:
    with ScriptedSmtp(cue) as script:
        config = {"host": "127.0.0.1", "port": script.port, "security": "none", "from": "us@example.com"}
        outcome = provider_kind("smtp").send(a_message(), Account(1, "x", "own", config, {}))

    assert (outcome.word, outcome.retryable) == (word, retryable)


def test_no_mail_server_on_a_private_address(settings: Any) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = []
    with ScriptedSmtp() as script:
        config = {"host": "127.0.0.1", "port": script.port, "security": "none", "from": "us@example.com"}
        outcome = provider_kind("smtp").send(a_message(), Account(1, "x", "own", config, {}))
        assert script.bodies == 0

    assert (outcome.word, outcome.retryable) == (TEMPORARY, True)


BAD_SENDERS = [
    "a@example.com\r\nBcc: x@example.com",
    "a@example.com\n",
    "ok@example.com, two@example.com",
    "ok@example.com,",
    "Acme, Inc <a@example.com>",
    "Acme <a@example.com> and more",
    "us: a@example.com;",
    "not an address",
    "a@nowhere",
    "a@example.com\0",
    "\ud800 <a@example.com>",
]


@pytest.mark.parametrize("sender", BAD_SENDERS)
def test_a_sender_that_no_mail_can_have_is_the_accounts_fault(sender: str) -> None:
    """Of accounts that were stored before anybody looked."""
    with ScriptedSmtp() as script:
        config = {"host": "127.0.0.1", "port": script.port, "security": "none", "from": sender}
        outcome = provider_kind("smtp").send(a_message(), Account(1, "x", "own", config, {}))
        assert script.bodies == 0

    assert (outcome.word, outcome.error, outcome.retryable, outcome.maybe_done) == (
        TEMPORARY,
        "bad_sender",
        True,
        False,
    )
    for kind in ("ses", "sendgrid", "postmark", "mailgun"):
        said = account("https://example.com", kind, **{"from": sender})
        assert provider_kind(kind).send(a_message(), said).error == "bad_sender"
        assert "/config/from" in [one["path"] for one in provider_kind(kind).check(said.config, said.credentials)]


def test_a_sender_may_have_a_name() -> None:
    senders = ["us@example.com", "Dr. No <us@example.com>", '"Acme, Inc." <us@example.com>', "Käse <us@exämple.com>"]

    assert [one for one in senders if not is_mailbox(one)] == []


@pytest.mark.parametrize(
    ("kind", "config", "credentials"),
    [
        ("smtp", {"host": "a..example.com"}, {}),
        ("smtp", {"security": "none"}, {"username": "us", "password": "pässword"}),
        ("sendgrid", {}, {"api_key": "key\n"}),
        ("mailgun", {"domain": "exa/mple.com"}, {}),
        ("slack", {}, {"token": "xoxb\n"}),
        ("slack", {}, {"token": "schlüssel"}),
        ("ses", {}, {"access_key_id": "AKID\n"}),
        ("twilio", {"url": "https://example.com\n"}, {}),
    ],
)
def test_an_account_that_cannot_even_be_asked_lets_the_next_one_try(
    kind: str, config: dict[str, Any], credentials: dict[str, str]
) -> None:
    """Of accounts that were stored before anybody looked: nothing left this machine, so nothing may have arrived."""
    with ScriptedSmtp({"EHLO": "250-script\r\n250 AUTH PLAIN"}) as script:
        if kind == "smtp":
            plain = {"host": "127.0.0.1", "port": script.port, "security": "none", "from": "us@example.com"}
            asked = Account(1, "x", "own", plain | config, credentials)
        else:
            asked = account("https://127.0.0.1:1", kind)
            asked = replace(asked, config={**asked.config, **config}, credentials={**asked.credentials, **credentials})
        outcome = provider_kind(kind).send(message(kind) if kind != "smtp" else a_message(), asked)
        assert script.bodies == 0

    assert (outcome.word, outcome.retryable, outcome.maybe_done) == (TEMPORARY, True, False), outcome


@pytest.mark.parametrize("code", [21212, 21606])
def test_a_number_that_twilio_will_not_send_from_is_the_accounts_fault(code: int, httpserver: HTTPServer) -> None:
    httpserver.expect_request(_ANY).respond_with_json({"code": code}, 400)

    outcome = send("twilio", httpserver.url_for("").rstrip("/"))

    assert (outcome.word, outcome.error, outcome.retryable) == (TEMPORARY, f"twilio {code}", True)


# -- Web push --------------------------------------------------------------------------------------------------------


def test_encryption_is_that_of_the_standard() -> None:
    """RFC 8291, section 5."""
    body = encrypt(
        b"When I grow up, I want to be a watermelon",
        public_key_of(BROWSER),
        decode(SECRET),
        key=private_key_of("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"),
        salt=decode("DGv6ra1nlYgDCS1FRnbzlw"),
    )

    assert encode(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A"
        "_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


def test_only_the_browser_reads_a_push(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/push/abc").respond_with_data("", 201, {"Location": "/m/1"})
    url = httpserver.url_for("").rstrip("/")
    kind, mine = provider_kind("web_push"), account(url, "web_push")

    outcome = kind.send(message("web_push", url), mine)

    request = asked(httpserver)
    assert outcome.context["provider_ref"] == "/m/1"
    assert json.loads(_decrypted(request.get_data()))["title"] == "Hello"
    assert (request.headers["Content-Encoding"], request.headers["TTL"]) == ("aes128gcm", "86400")
    assert len(request.headers["Topic"]) == 32
    _verify_vapid(request.headers["Authorization"], mine.config["public_key"], url)


def _decrypted(body: bytes) -> bytes:
    salt, length = body[:16], body[20]
    sender, sealed = body[21 : 21 + length], body[21 + length :]
    shared = BROWSER.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender))

    def derive(salt: bytes, material: bytes, info: bytes, length: int) -> bytes:
        return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(material)

    material = derive(decode(SECRET), shared, b"WebPush: info\0" + public_key_of(BROWSER) + sender, 32)
    key = derive(salt, material, b"Content-Encoding: aes128gcm\0", 16)
    nonce = derive(salt, material, b"Content-Encoding: nonce\0", 12)
    return AESGCM(key).decrypt(nonce, sealed, None).rstrip(b"\x02")


def _verify_vapid(header: str, public_key: str, origin: str) -> None:
    token, key = (part.split("=", 1)[1] for part in header.removeprefix("vapid ").split(", "))
    head, claims, signature = token.split(".")
    raw = decode(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decode(key))
    point.verify(der, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
    said = json.loads(decode(claims))
    assert (key, said["aud"], said["sub"]) == (public_key, origin, "mailto:ops@example.com")
    assert 0 < said["exp"] - datetime.now(UTC).timestamp() <= 24 * 3600


@pytest.mark.parametrize(
    ("statuses", "word", "retryable"),
    [
        ((201, 201), "delivered", False),
        ((201, 410), "delivered", False),  # one browser is gone, and the other has it
        ((201, 503), "delivered", False),  # whoever has it is not told again for the sake of another browser
        ((410, 404), "bounced", False),
        ((410, 503), "temporary_failure", True),
    ],
)
def test_a_push_for_several_browsers_arrived_if_one_has_it(
    statuses: tuple[int, int], word: str, retryable: bool, httpserver: HTTPServer, tenant: Tenant
) -> None:
    url = httpserver.url_for("").rstrip("/")
    for name, status in zip("ab", statuses, strict=True):
        httpserver.expect_request(f"/push/{name}").respond_with_data("", status)
    mine = [subscription(f"{url}/push/{name}") for name in "bab"]
    push = PushChannel()

    recipient = push.recipient({"to": "data.push"}, {"data": {"push": mine}})
    outcome = provider_kind("web_push").send(
        a_message(tenant_id=tenant.pk, recipient=recipient), account(url, "web_push")
    )

    assert push.is_address(mine)
    assert sorted(request.path for request, _ in httpserver.log) == ["/push/a", "/push/b"], "each of them once"
    assert (outcome.word, outcome.retryable) == (word, retryable)
    assert sum(outcome.context["browsers"].values()) == 2


@pytest.mark.parametrize("status", [404, 410])
def test_a_subscription_that_is_gone_bounced(status: int, httpserver: HTTPServer, tenant: Tenant) -> None:
    httpserver.expect_request(_ANY).respond_with_data("", status)

    assert send("web_push", httpserver.url_for("").rstrip("/"), tenant_id=tenant.pk).word == "bounced"


def test_a_push_that_no_service_takes_is_not_sent(httpserver: HTTPServer) -> None:
    with pytest.raises(Undeliverable, match="message too large"):
        send("web_push", httpserver.url_for(""), content=Rendered(text="x" * 5000))


BAD_SUBSCRIPTIONS = [
    "x",
    {"endpoint": "https://push.example.com/1"},
    {"endpoint": "file:///etc/passwd", "keys": {"p256dh": "a", "auth": "b"}},
    {"endpoint": "https://127.0.0.1.nip.io:22/", "keys": {"p256dh": "a", "auth": "b"}},
    {"endpoint": "https://push.example.com/1", "keys": {"p256dh": 1, "auth": "b"}},
    ["a"],
    17,
]


@pytest.mark.parametrize("said", BAD_SUBSCRIPTIONS)
def test_what_is_no_subscription_is_refused(said: Any) -> None:
    with pytest.raises(Undeliverable, match="invalid_address"):
        PushChannel().recipient({}, {"data": {"push": said}, "run": {}})


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("+43 660 123-45.678", "+4366012345678"),
        ("+1 (555) 000 1111", "+15550001111"),
        (436601234567, None),
        ("", None),
        ("0660 1234567", None),
        ("+0123456789", None),
        ("+12345", None),
        ("+1555000111١", None),
        ("anna", None),
    ],
)
def test_a_number_is_read_as_people_write_it(said: Any, number: str | None) -> None:
    facts = {"data": {"phone": said}, "run": {}}
    if number is not None:
        assert SmsChannel().recipient({}, facts) == number
        return
    with pytest.raises(Undeliverable):
        SmsChannel().recipient({}, facts)


def test_every_kind_is_tried_here() -> None:
    assert set(provider_kinds()) == {*ANSWERED, "smtp"}
