"""Amazon SES: one signed request (https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html)."""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

from chimeway_py.errors import NotFound
from chimeway_py.outbound.call import call
from chimeway_py.outbound.signing import USER_AGENT
from deliveries.channels.base import Message
from deliveries.channels.email import compose, unsayable
from deliveries.providers.aws_signing import signed
from deliveries.providers.base import TOKEN, URL, Account
from deliveries.providers.calling import json_of, outcome_of, url_faults
from deliveries.providers.mail import SENDER, MailKind
from deliveries.providers.reports import Incoming, Report, ReportKind, code_of
from deliveries.providers.sns import confirm, verified
from workflows.steps.base import Fault, Outcome

PATH = "/v2/email/outbound-emails"
_KINDS = {
    "Delivery": ReportKind.DELIVERED,
    "Reject": ReportKind.FAILED,
    "Rendering Failure": ReportKind.FAILED,
    "Bounce": ReportKind.BOUNCED,
    "Complaint": ReportKind.COMPLAINED,
    "Open": ReportKind.OPENED,
    "Click": ReportKind.CLICKED,
}
TAG = "chimeway_delivery"


class SesProvider(MailKind):
    """Hands over the whole mail, so that its headers are ours."""

    name = "ses"
    config = {
        "from": SENDER,
        "region": {"type": "string", "pattern": r"^[a-z]{2}(-[a-z]+)+-[0-9](?!\n)$"},
        "configuration_set": {"type": "string", "pattern": r"^[A-Za-z0-9_-]{1,64}(?!\n)$"},
        "topic": {"type": "string", "pattern": r"^arn:[!-~]{1,250}(?!\n)$"},
        "url": URL,
    }
    required = ("from", "region")
    credentials = {"access_key_id": TOKEN, "secret_access_key": TOKEN}
    secret = ("access_key_id", "secret_access_key")

    def check(self, config: Mapping[str, Any], credentials: Mapping[str, str]) -> Iterator[Fault]:
        """An address that we do not call; a bad sender."""
        yield from super().check(config, credentials)
        yield from url_faults("/config/url", _url(config))

    def hand_over(self, message: Message, account: Account) -> Outcome:
        """One call. Its tag comes back with every report."""
        try:
            raw = compose(message, account.config["from"]).message().as_bytes()
        except ValueError as error:
            return unsayable(error)
        body: dict[str, Any] = {
            "FromEmailAddress": account.config["from"],
            "Destination": {"ToAddresses": [message.recipient]},
            "Content": {"Raw": {"Data": base64.b64encode(raw).decode()}},
            "EmailTags": [{"Name": TAG, "Value": message.delivery_id}],
        }
        if "configuration_set" in account.config:
            body["ConfigurationSetName"] = account.config["configuration_set"]
        content = json.dumps(body).encode()
        url = _url(account.config) + PATH
        headers = signed(url, content, account.config["region"], account.credentials)
        called = call("POST", url, content=content, headers={"user-agent": USER_AGENT, **headers})
        return outcome_of(called, str(json_of(called).get("MessageId", ""))[:255])

    def reports(self, account: Account, incoming: Incoming) -> list[Report]:
        """What SES publishes to the account's topic. The topic is confirmed when SNS asks for it."""
        topic = account.config.get("topic")
        if topic is None:
            raise NotFound
        said = verified(incoming.body, topic)
        if said["Type"] == "SubscriptionConfirmation":
            confirm(said["SubscribeURL"])
            return []
        return list(_reports(json.loads(said["Message"])))


def _reports(event: Mapping[str, Any]) -> Iterator[Report]:
    kind, code = _KINDS.get(event["eventType"]), ""
    if kind == ReportKind.BOUNCED:
        kind, code = _bounce(event["bounce"])
    if kind is not None:
        tags, ref = event["mail"].get("tags", {}), event["mail"]["messageId"]
        (delivery, *_) = tags.get(TAG) or [""]
        yield Report(kind, str(delivery), str(ref)[:255], code)


def _bounce(told: Mapping[str, Any]) -> tuple[ReportKind, str]:
    """What came back for good, and what SES has given up: while it goes on trying it tells of delays only.

    A full mailbox says nothing about an address that would outlast this mail.
    """
    kind = ReportKind.BOUNCED if told["bounceType"] == "Permanent" else ReportKind.FAILED
    return kind, code_of(told.get("bounceSubType"))


def _url(config: Mapping[str, Any]) -> str:
    return str(config.get("url", f"https://email.{config['region']}.amazonaws.com")).rstrip("/")
