"""E-mail, text and HTML, under one Message-ID for every try: through the tenant's providers, or the service's own."""

import hashlib
import re
import smtplib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.message import BadHeaderError
from django.core.validators import validate_email

from deliveries.channels.base import Message, Undeliverable
from deliveries.channels.provided import PROVIDERS, ProvidedChannel
from deliveries.providers.sending import Default
from deliveries.states import DeliveryStatus
from workflows.steps.base import Outcome
from workflows.steps.sources import SOURCE, Facts, text_of

_ENHANCED = re.compile(rb"\d\.\d{1,3}\.\d{1,3}")  # RFC 3463


class EmailChannel(ProvidedChannel):
    """Sends to the address that `to` names, `data.email` unless the step says otherwise."""

    name = "email"
    required = ("template",)
    heeds_bounces = True
    schema = {"to": SOURCE, "providers": PROVIDERS}
    address = "One address such as ada@example.com."

    def is_address(self, address: Any) -> bool:
        """One bare address."""
        return isinstance(address, str) and _is_email(address)

    def recipient(self, step: Mapping[str, Any], facts: Facts) -> str:
        """One bare address. Raises `Undeliverable` for none, several, or a line break that would forge a header."""
        address = text_of(step.get("to", "data.email"), facts)
        if not address:
            raise Undeliverable("no_recipient")
        if not _is_email(address):
            raise Undeliverable("invalid_address")
        return address

    def default(self) -> Default:
        """The mail server of the service."""
        return lambda message: deliver(message, get_connection())


def _is_email(address: str) -> bool:
    try:
        validate_email(address)
    except ValidationError:
        return False
    return True


def deliver(message: Message, connection: Any, sender: str = "") -> Outcome:
    """Connect, hand the mail over, hang up. What happens after the server took it cannot undo that it took it."""
    mail = compose(message, sender)
    try:
        mail.message()  # builds every header
    except ValueError as error:
        return unsayable(error)
    try:
        connection.open()
    except (OSError, smtplib.SMTPException, ValueError) as error:
        # nothing was said yet about a mail: a refusal, or a host or password that cannot even be said
        return Outcome(DeliveryStatus.TEMPORARY_FAILURE, f"connect {type(error).__name__}", retryable=True)
    try:
        return _hand_over(connection, mail)
    finally:
        _hang_up(connection)


def unsayable(error: ValueError) -> Outcome:
    """The outcome of a message of which no mail can be made: nobody was asked, and nobody would take it."""
    code = "line_break_in_header" if isinstance(error, BadHeaderError) else "malformed_mail"
    return Outcome(DeliveryStatus.PERMANENT_FAILURE, code)


def compose(message: Message, sender: str = "") -> EmailMultiAlternatives:
    """The mail of a message. Every try of it has the same Message-ID and Idempotency-Key."""
    mail = EmailMultiAlternatives(
        subject=message.content.subject,
        body=message.content.text,
        from_email=sender or None,
        to=[message.recipient],
        headers={
            **message.headers,
            "Message-ID": message_id(message.key),
            "Idempotency-Key": message.key,
            "Auto-Submitted": "auto-generated",  # RFC 3834: no answers from vacation programs
        },
    )
    if message.content.html:
        mail.attach_alternative(message.content.html, "text/html")
    return mail


def message_id(key: str) -> str:
    """The Message-ID that belongs to an effect key."""
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{domain}>"


def _hand_over(connection: Any, mail: EmailMultiAlternatives) -> Outcome:
    body_begun = _watch(getattr(connection, "connection", None))
    try:
        connection.send_messages([mail])
    except smtplib.SMTPRecipientsRefused as error:
        return _refusal(*next(iter(error.recipients.values())))
    except smtplib.SMTPSenderRefused as error:
        return replace(_refusal(error.smtp_code, error.smtp_error), context={"refused": "sender"})
    except smtplib.SMTPResponseException as error:
        return _unanswered(error) if body_begun() and not _is_no(error) else _refusal(error.smtp_code, error.smtp_error)
    except smtplib.SMTPNotSupportedError:
        return Outcome(DeliveryStatus.PERMANENT_FAILURE, "smtp_not_supported")
    except (OSError, smtplib.SMTPException) as error:
        if body_begun():
            return _unanswered(error)
        return Outcome(DeliveryStatus.TEMPORARY_FAILURE, f"connection lost: {type(error).__name__}", retryable=True)
    return Outcome(DeliveryStatus.DELIVERED, context={"provider_ref": str(mail.extra_headers["Message-ID"])})


def _watch(smtp: Any) -> Any:
    """A question that says whether the body may have reached the server.

    Code 354 answers nothing but DATA: before it the server has no mail that it could deliver. A backend that does not
    speak SMTP tells us nothing, so any break may have come too late.
    """
    if not isinstance(smtp, smtplib.SMTP):
        return lambda: True
    seen: set[int] = set()
    real = smtp.getreply

    def getreply() -> tuple[int, bytes]:
        code, text = real()
        seen.add(code)
        return code, text

    smtp.getreply = getreply  # type: ignore[method-assign]
    return lambda: 354 in seen


def _is_no(error: smtplib.SMTPResponseException) -> bool:
    """Whether the server said no in words that can be read.

    What smtplib cannot read has the code -1, and of a line without end it makes a 500 of its own: of no class but this.
    """
    return 400 <= error.smtp_code < 600 and type(error) is not smtplib.SMTPResponseException


def _unanswered(error: Exception) -> Outcome:
    """It has the mail, or some of it, and what it made of it nobody knows."""
    return Outcome(DeliveryStatus.UNKNOWN, f"no answer after the mail was sent: {type(error).__name__}", retryable=True)


def _refusal(code: int, text: bytes | str) -> Outcome:
    """A server's no. Only its codes are kept: its words often quote the address."""
    found = _ENHANCED.match(text if isinstance(text, bytes) else text.encode())
    error = f"smtp {code} {found.group().decode() if found else ''}".strip()
    if 400 <= code < 500 or code == -1:
        return Outcome(DeliveryStatus.TEMPORARY_FAILURE, error, retryable=True)
    return Outcome(DeliveryStatus.PERMANENT_FAILURE, error)


def _hang_up(connection: Any) -> None:
    """The mail's fate was settled before: a server that hangs at QUIT must not make us send it again."""
    with suppress(OSError, smtplib.SMTPException):
        connection.close()
