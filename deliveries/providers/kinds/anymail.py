"""Mail through the HTTP interfaces of big senders, as django-anymail (an extra) speaks them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMultiAlternatives, get_connection
from django.utils.module_loading import import_string

from chimeway_py.errors import NotFound, fault
from chimeway_py.outbound.call import retry_after
from deliveries.channels.base import Message
from deliveries.channels.email import compose, unsayable
from deliveries.providers.base import LINE, TOKEN, Account
from deliveries.providers.calling import failed
from deliveries.providers.mail import SENDER, MailKind
from deliveries.providers.reports import BadSignature, Incoming, Report, ReportKind, code_of
from deliveries.states import DeliveryStatus
from workflows.steps.base import Fault, Outcome

SECONDS = 8.0
METADATA = "chimeway_delivery"
_KINDS = {  # of anymail's event types, those that say how a message did
    "delivered": ReportKind.DELIVERED,
    "failed": ReportKind.FAILED,
    "rejected": ReportKind.FAILED,
    "bounced": ReportKind.BOUNCED,
    "complained": ReportKind.COMPLAINED,
    "opened": ReportKind.OPENED,
    "clicked": ReportKind.CLICKED,
}
DOMAIN = {"type": "string", "pattern": r"^[A-Za-z0-9.-]{1,253}(?!\n)$"}
_NOT_YET = frozenset({408, 425, 429, 503})
_NEVER_SENT = ("ConnectTimeout", "NewConnectionError", "SSLError", "ProxyError", "InvalidHeader", "InvalidURL")


class AnymailProvider(MailKind):
    """What all of them have in common. `backend` is a module of `anymail.backends`."""

    backend: ClassVar[str]
    view: ClassVar[str]  # what reads its reports, in `anymail.webhooks.<backend>`
    verifies: ClassVar[Mapping[str, str]]  # the credentials that verify reports, as arguments of the view
    config: ClassVar[Mapping[str, Any]] = {"from": SENDER}
    required: ClassVar[tuple[str, ...]] = ("from",)
    needs: ClassVar[Mapping[str, str]] = {"anymail": "anymail"}
    hard: ClassVar[tuple[str, str]] = ("", "")
    """Where it says of which type a bounce is, and the type of those that come back whatever one sends.

    Anymail calls others bounces, too; without this it sorts them out itself.
    """

    def options(self, account: Account) -> dict[str, Any]:
        """The arguments of the backend. Never an address: a tenant does not choose whom this process calls."""
        return dict(account.credentials)

    def hand_over(self, message: Message, account: Account) -> Outcome:
        """One call to the sender's interface."""
        mail = compose(message, account.config["from"])
        mail.metadata = {METADATA: message.delivery_id}  # type: ignore[attr-defined]  # comes back with every report
        try:
            mail.message()  # builds every header
        except ValueError as error:
            return unsayable(error)
        try:
            path = f"anymail.backends.{self.backend}.EmailBackend"
            with get_connection(path, fail_silently=False, **self.options(account)) as connection:
                connection.send_messages([mail])
        except Exception as error:
            return _refusal(error)
        return _accepted(mail)

    def reports(self, account: Account, incoming: Incoming) -> list[Report]:
        """What anymail reads in a post. Without what verifies it nothing is taken: anybody could have sent it."""
        known = {argument: account.credentials.get(name) for name, argument in self.verifies.items()}
        if not all(known.values()):
            raise NotFound
        from anymail.exceptions import AnymailWebhookValidationFailure  # installed with the extra

        view = import_string(f"anymail.webhooks.{self.backend}.{self.view}")(**known)
        try:
            view.run_validators(incoming.request)
            return list(reports_of(view.parse_events(incoming.request), self.hard))
        except AnymailWebhookValidationFailure:
            raise BadSignature from None


class SendGrid(AnymailProvider):
    """Twilio SendGrid."""

    name, backend, view = "sendgrid", "sendgrid", "SendGridTrackingWebhookView"
    hard = ("type", "bounce")  # "blocked" is about the mail or who sends, and SendGrid does not keep later ones back
    verifies: ClassVar[Mapping[str, str]] = {"webhook_key": "tracking_webhook_verification_key"}
    credentials = {"api_key": TOKEN, "webhook_key": LINE}
    secret = ("api_key",)

    def options(self, account: Account) -> dict[str, Any]:
        """The key, and how long to wait."""
        return {"api_key": account.credentials["api_key"], "timeout": SECONDS}


class Postmark(AnymailProvider):
    """Postmark."""

    name, backend, view = "postmark", "postmark", "PostmarkTrackingWebhookView"
    hard = ("Type", "HardBounce")  # not a full mailbox ("SoftBounce"), nor a virus in the mail
    verifies: ClassVar[Mapping[str, str]] = {"webhook_secret": "webhook_secret"}
    credentials = {"server_token": TOKEN, "webhook_secret": LINE}
    secret = ("server_token",)

    def options(self, account: Account) -> dict[str, Any]:
        """The token, and how long to wait."""
        return {"server_token": account.credentials["server_token"], "timeout": SECONDS}

    def check(self, config: Mapping[str, Any], credentials: Mapping[str, str]) -> Iterator[Fault]:
        """A secret for its reports that is not `user:password`; a bad sender."""
        yield from super().check(config, credentials)
        if ":" not in credentials.get("webhook_secret", ":"):
            yield fault("/credentials/webhook_secret", "bad_value", "user:password, as in the address for reports.")


class Mailgun(AnymailProvider):
    """Mailgun."""

    name, backend, view = "mailgun", "mailgun", "MailgunTrackingWebhookView"
    verifies: ClassVar[Mapping[str, str]] = {"webhook_signing_key": "webhook_signing_key"}
    config: ClassVar[Mapping[str, Any]] = {"from": SENDER, "domain": DOMAIN, "region": {"enum": ["us", "eu"]}}
    required: ClassVar[tuple[str, ...]] = ("from", "domain")
    credentials = {"api_key": TOKEN, "webhook_signing_key": LINE}
    secret = ("api_key",)

    def options(self, account: Account) -> dict[str, Any]:
        """The key, the domain that sends, and the region."""
        said = {"api_key": account.credentials["api_key"], "sender_domain": account.config["domain"]}
        region = {"api_url": "https://api.eu.mailgun.net/v3"} if account.config.get("region") == "eu" else {}
        return {**said, **region, "timeout": SECONDS}


def _accepted(mail: EmailMultiAlternatives) -> Outcome:
    """What the sender says of the one recipient."""
    status = mail.anymail_status  # type: ignore[attr-defined]
    (word, *_) = status.status or {"unknown"}
    if word in ("rejected", "invalid", "failed"):
        return Outcome(DeliveryStatus.PERMANENT_FAILURE, f"recipient {word}")
    return Outcome(DeliveryStatus.DELIVERED, context={"provider_ref": str(status.message_id or "")})


def _refusal(error: Exception) -> Outcome:
    """A no, or no answer. Only codes are kept: what a sender writes often quotes the address."""
    from anymail import exceptions  # installed, or nothing would have been tried

    if isinstance(error, exceptions.AnymailRecipientsRefused):
        return Outcome(DeliveryStatus.PERMANENT_FAILURE, "recipient refused")
    if isinstance(error, ImproperlyConfigured):
        return Outcome(DeliveryStatus.TEMPORARY_FAILURE, f"configuration {type(error).__name__}", retryable=True)
    if type(error) is exceptions.AnymailError:  # it says so of a configuration that it cannot make a request of
        return Outcome(DeliveryStatus.TEMPORARY_FAILURE, "anymail AnymailError", retryable=True)
    if not isinstance(error, exceptions.AnymailAPIError):
        return Outcome(DeliveryStatus.PERMANENT_FAILURE, f"anymail {type(error).__name__}")
    status, asked = _status(error)
    if 200 <= status < 300:
        return Outcome(DeliveryStatus.UNKNOWN, "answer not understood", retryable=True)
    if status in _NOT_YET:
        return Outcome(DeliveryStatus.TEMPORARY_FAILURE, f"http {status}", retryable=True, retry_after=asked)
    if status and status < 500:
        return failed(f"http {status}", status=status)
    if not status and any(name in _NEVER_SENT for name in _causes(error)):
        return Outcome(DeliveryStatus.TEMPORARY_FAILURE, "connect", retryable=True)
    told = f"http {status}" if status else f"network {next(iter(_causes(error.__cause__)), 'error')}"
    return Outcome(DeliveryStatus.TEMPORARY_FAILURE, told, retryable=True, maybe_done=True)


def _status(error: Any) -> tuple[int, float | None]:
    """The HTTP status of a refusal (0 when there was no answer), and how long to wait if it says."""
    if error.response is not None and hasattr(error.response, "status_code"):
        return int(error.response.status_code), retry_after(error.response.headers.get("retry-after", ""))
    return 0, None


def _causes(error: BaseException | None) -> Iterator[str]:
    """The classes of everything that led to an error, urllib3's reasons too."""
    while error is not None:
        yield from (one.__name__ for one in type(error).__mro__[:3])
        reasons = [one for one in error.args if isinstance(one, BaseException)]
        reason = getattr(reasons[0], "reason", None) if reasons else None
        if isinstance(reason, BaseException):
            yield from (one.__name__ for one in type(reason).__mro__[:2])
        error = error.__cause__ or error.__context__


def reports_of(events: Iterable[Any], hard: tuple[str, str] = ("", "")) -> Iterator[Report]:
    """Anymail's normalized events in our words. What is neither good nor bad for anybody is left out."""
    for event in events:
        kind = _KINDS.get(event.event_type)
        if kind is not None:
            metadata = event.metadata or {}
            delivery = metadata.get(METADATA, "") if isinstance(metadata, Mapping) else ""
            ref, code = str(event.message_id or "")[:255], str(event.reject_reason or "")[:40]
            soft = _soft_bounce(event.esp_event, hard) if kind == ReportKind.BOUNCED else ""
            yield Report(ReportKind.FAILED if soft else kind, str(delivery), ref, soft or code)


def _soft_bounce(told: Mapping[str, Any], hard: tuple[str, str]) -> str:
    """The type of a bounce that says nothing about the address itself; empty for one that does, or of no type."""
    type_ = told.get(hard[0], hard[1])
    return code_of(type_) if type_ != hard[1] else ""
