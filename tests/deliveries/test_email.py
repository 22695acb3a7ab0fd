"""The e-mail channel against servers that answer as on cue, and against a real one."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from chimeway_py.embedded.mailbox import Mailbox
from chimeway_py.rendering import Rendered
from deliveries.channels.base import Message, Undeliverable
from deliveries.channels.email import EmailChannel, message_id
from tests.deliveries.smtp_script import ScriptedSmtp
from workflows.steps.base import Outcome
from workflows.steps.sources import facts_of

TEMPORARY, PERMANENT, DELIVERED, UNKNOWN = "temporary_failure", "permanent_failure", "delivered", "unknown"

ANSWERS = [
    # point of the conversation, what the server does, the outcome, whether another try makes sense
    ("connect", "421 4.3.2 closing", TEMPORARY, True),
    ("connect", "554 5.7.1 you are on a list", TEMPORARY, True),  # says nothing about this mail: the operator's to mend
    ("connect", "close", TEMPORARY, True),
    ("connect", "hang", TEMPORARY, True),
    ("EHLO", "close", TEMPORARY, True),
    ("MAIL", "451 4.7.1 later", TEMPORARY, True),
    ("MAIL", "550 5.7.1 not you", PERMANENT, False),
    ("MAIL", "close", TEMPORARY, True),
    ("RCPT", "450 4.2.0 greylisted", TEMPORARY, True),
    ("RCPT", "452 4.2.2 full", TEMPORARY, True),
    ("RCPT", "550 5.1.1 nobody", PERMANENT, False),
    ("RCPT", "hang", TEMPORARY, True),
    ("RCPT", "close", TEMPORARY, True),
    ("DATA", "451 4.3.0 later", TEMPORARY, True),
    ("DATA", "554 5.6.0 no", PERMANENT, False),
    ("DATA", "hang", TEMPORARY, True),  # no 354: the server has no mail
    ("DATA", "close", TEMPORARY, True),
    ("DATA", "garbage", TEMPORARY, True),
    ("BODY", "451 4.3.0 later", TEMPORARY, True),
    ("BODY", "554 5.6.0 spam", PERMANENT, False),
    ("BODY", "hang", UNKNOWN, True),  # it has the whole mail and never said what it did with it
    ("BODY", "close", UNKNOWN, True),
    ("BODY", "garbage", UNKNOWN, True),  # it said something, and nobody can read what
    ("BODY", "554 " + "x" * 9000, UNKNOWN, True),  # smtplib reads no line as long as this, and says 500 itself
    ("BODY", "251 kept elsewhere", UNKNOWN, True),  # not what was asked, and no refusal
    ("QUIT", "hang", DELIVERED, False),  # it said yes before
    ("QUIT", "close", DELIVERED, False),
    ("QUIT", "451 4.3.0 later", DELIVERED, False),
]


def a_message(**changed: Any) -> Message:
    facts = facts_of(run_public_id="r", subject="anna", correlation={}, definition_key="d", data={})
    whole: dict[str, Any] = {
        "tenant_id": 1,
        "delivery_id": "0192f0c0-0000-7000-8000-000000000000",
        "key": "run:step:1",
        "attempt": 1,
        "recipient": "anna@example.com",
        "content": Rendered(subject="Hello", text="Read me", html="<p>Read me</p>"),
        "step": {"key": "step"},
        "facts": facts,
        "planned_at": "2026-11-20T09:00:00+00:00",
    }
    return Message(**(whole | changed))


@pytest.fixture
def send_over(settings: Any) -> Callable[..., Outcome]:
    """`send_over(port, …)` sends one message over real SMTP, patient for a third of a second."""

    def send(port: int, **changed: Any) -> Outcome:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 0.3
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""  # it knows nobody
        return EmailChannel().send(a_message(**changed))

    return send


@pytest.mark.parametrize(("point", "cue", "word", "retryable"), ANSWERS)
def test_what_a_server_says_or_does_becomes_an_outcome(
    point: str, cue: str, word: str, retryable: bool, send_over: Callable[..., Outcome]
) -> None:
    with ScriptedSmtp({point: cue}) as server:
        outcome = send_over(server.port)

    assert (outcome.word, outcome.retryable) == (word, retryable)
    assert server.bodies == (1 if point in ("BODY", "QUIT") else 0)


def test_a_refused_connection_is_temporary(send_over: Callable[..., Outcome]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    assert send_over(port).word == TEMPORARY


def test_a_refusal_keeps_its_codes_and_forgets_its_words(send_over: Callable[..., Outcome]) -> None:
    with ScriptedSmtp({"RCPT": "550 5.1.1 <anna@example.com>: unknown"}) as server:
        outcome = send_over(server.port)

    assert outcome.error == "smtp 550 5.1.1"


@pytest.mark.parametrize("subject", ["Hello\r\nBcc: eve@example.com", "Hello\nX: y", "Hello\rX: y"])
def test_a_line_break_in_a_header_fails_once_and_nothing_is_said(
    subject: str, send_over: Callable[..., Outcome]
) -> None:
    with ScriptedSmtp() as server:
        outcome = send_over(server.port, content=Rendered(subject=subject, text="t"))

    assert (outcome.word, outcome.retryable, server.bodies) == (PERMANENT, False, 0)


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("", "no_recipient"),
        (None, "no_recipient"),
        (["a@example.com"], "no_recipient"),
        ({"x": 1}, "no_recipient"),
        (True, "no_recipient"),
        ("anna", "invalid_address"),
        ("a@example.com, b@example.com", "invalid_address"),
        ("Anna <anna@example.com>", "invalid_address"),
        ("anna@example.com\r\nBcc: eve@example.com", "invalid_address"),
        ("anna@exam\0ple.com", "invalid_address"),
        ("a" * 400 + "@example.com", "invalid_address"),
    ],
)
def test_only_one_bare_address_is_a_recipient(address: Any, error: str) -> None:
    facts = facts_of(run_public_id="r", subject="s", correlation={}, definition_key="d", data={"email": address})

    with pytest.raises(Undeliverable) as refused:
        EmailChannel().recipient({}, facts)

    assert (refused.value.error, refused.value.word) == (error, PERMANENT)


def test_a_mail_has_text_and_html_under_one_message_id(smtp_sink: Mailbox, settings: Any) -> None:
    settings.DEFAULT_FROM_EMAIL = "Chimes <chimes@example.org>"
    message = a_message(recipient="two-parts@example.com", content=Rendered("Ünïcode ✓", "Plain ✓", "<p>Rich ✓</p>"))

    first, second = EmailChannel().send(message), EmailChannel().send(message)

    mails = smtp_sink.wait_for("two-parts@example.com", count=2)
    assert [first.word, second.word] == [DELIVERED, DELIVERED]
    assert {mail["Message-ID"] for mail in mails} == {message_id("run:step:1")} == {first.context["provider_ref"]}
    assert message_id("run:step:1").endswith("@example.org>")
    assert {mail["Idempotency-Key"] for mail in mails} == {"run:step:1"}
    assert mails[0]["Subject"] == "Ünïcode ✓"
    assert mails[0].get_content_type() == "multipart/alternative"
    kinds = {part.get_content_type(): part.get_content().strip() for part in mails[0].iter_parts()}
    assert kinds == {"text/plain": "Plain ✓", "text/html": "<p>Rich ✓</p>"}


def test_a_mail_without_html_is_plain(smtp_sink: Mailbox) -> None:
    EmailChannel().send(a_message(recipient="plain@example.com", content=Rendered("S", "Plain", "")))

    (mail,) = smtp_sink.wait_for("plain@example.com")
    assert mail.get_content_type() == "text/plain"


class Failing:
    """A backend of another library: no SMTP, and an error of its own."""

    def __init__(self, **_: Any) -> None:
        pass

    def open(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing to close."""

    def send_messages(self, mails: list[Any]) -> int:
        raise TimeoutError


def test_a_backend_that_tells_no_stages_leaves_a_break_unknown(settings: Any) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Failing"

    assert EmailChannel().send(a_message()).word == UNKNOWN
