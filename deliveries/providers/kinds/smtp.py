"""A mail server of the tenant's own, through the guard: no private address, no odd port."""

import smtplib
import socket
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from django.core.mail.backends.smtp import EmailBackend

from chimeway_py.errors import fault
from chimeway_py.outbound.addresses import refusal_of
from chimeway_py.outbound.guard import AddressRefused, check_host
from deliveries.channels.base import Message
from deliveries.channels.email import deliver
from deliveries.providers.base import LINE, TEXT, Account, refused_address
from deliveries.providers.mail import SENDER, MailKind
from deliveries.states import DeliveryStatus
from workflows.steps.base import Fault, Outcome

MAIL_PORTS = frozenset({25, 465, 587, 2525})
SECONDS = 8.0


class GuardedSMTP(smtplib.SMTP):
    """Connects to checked addresses only. The name stays where it belongs, in TLS."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        failure: OSError = OSError("no address")
        for answer in _checked(host, port):
            try:
                return socket.create_connection((answer, port), timeout)
            except OSError as error:
                failure = error
        raise failure


class GuardedSMTPS(smtplib.SMTP_SSL, GuardedSMTP):
    """The same inside TLS from the first byte: `SMTP_SSL` wraps the socket that the guard gives it."""


class GuardedBackend(EmailBackend):
    """Django's backend over guarded sockets."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        """Which of the two it is."""
        return GuardedSMTPS if self.use_ssl else GuardedSMTP


class SmtpProvider(MailKind):
    """Hands mails to the tenant's own server."""

    name = "smtp"
    config = {
        "host": TEXT,
        "port": {"type": "integer", "minimum": 1, "maximum": 65535},
        "security": {"enum": ["none", "starttls", "tls"]},
        "from": SENDER,
    }
    required = ("host", "from")
    credentials = {"username": LINE, "password": LINE}

    def check(self, config: Mapping[str, Any], credentials: Mapping[str, str]) -> Iterator[Fault]:
        """A host or port that we do not call; one half of a sign-in; a password in the clear; a bad sender."""
        yield from super().check(config, credentials)
        try:
            check_host(config["host"])
        except AddressRefused as error:
            yield refused_address("/config/host", error.reason)
        if not _is_allowed(_port(config)):
            yield refused_address("/config/port", "port")
        if len(credentials) == 1:
            yield fault("/credentials", "required", "A username and a password, or neither.")
        if credentials and config.get("security") == "none":
            yield fault("/config/security", "insecure", "Passwords are sent under TLS only: starttls or tls.")

    def hand_over(self, message: Message, account: Account) -> Outcome:
        """Connect, hand the mail over, hang up."""
        security = account.config.get("security", "starttls")
        connection = GuardedBackend(
            host=account.config["host"],
            port=_port(account.config),
            username=account.credentials.get("username", ""),
            password=account.credentials.get("password", ""),
            use_tls=security == "starttls",
            use_ssl=security == "tls",
            timeout=SECONDS,
        )
        outcome = deliver(message, connection, sender=account.config["from"])
        if outcome.word == DeliveryStatus.PERMANENT_FAILURE and _is_of_the_account(outcome):
            return replace(outcome, word=DeliveryStatus.TEMPORARY_FAILURE, retryable=True)
        return outcome


def _is_of_the_account(outcome: Outcome) -> bool:
    """Whether the server refuses the account or its sender, and said nothing of this message."""
    return outcome.error.startswith(("smtp 530", "smtp 535")) or outcome.context.get("refused") == "sender"


def _port(config: Mapping[str, Any]) -> int:
    return int(config.get("port", 465 if config.get("security") == "tls" else 587))


def _is_allowed(port: int) -> bool:
    return port in MAIL_PORTS or port >= 1024


def _checked(host: str, port: int) -> list[str]:
    """The addresses of a host, none of them refused. Raises OSError: to SMTP it is a connection that failed."""
    try:
        check_host(host)
    except AddressRefused as error:
        raise OSError(f"address refused: {error.reason}") from None
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(one[4][0]) for one in answers))
    for address in addresses:
        if reason := refusal_of(address):
            raise OSError(f"address refused: {reason}")
    return addresses
