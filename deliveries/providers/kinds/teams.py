"""Microsoft Teams: a card posted to the address of a workflow ("When a Teams webhook request is received")."""

from collections.abc import Iterator, Mapping
from typing import Any

from deliveries.channels.base import Message
from deliveries.providers.base import URL, Account, ProviderKind, refused_address
from deliveries.providers.calling import address_fault, outcome_of, post_json
from workflows.steps.base import Fault, Outcome


class TeamsProvider(ProviderKind):
    """Posts an Adaptive Card. The address is the whole secret."""

    name, channel = "teams", "chat"
    credentials = {"url": URL}
    secret = ("url",)

    def check(self, config: Mapping[str, Any], credentials: Mapping[str, str]) -> Iterator[Fault]:
        """An address that we do not call."""
        if reason := address_fault(credentials["url"]):
            yield refused_address("/credentials/url", reason)

    def send(self, message: Message, account: Account) -> Outcome:
        """One call."""
        return outcome_of(post_json(account.credentials["url"], _card(message), {}))


def _card(message: Message) -> dict[str, Any]:
    title = {"type": "TextBlock", "text": message.content.subject, "weight": "Bolder", "wrap": True}
    text = {"type": "TextBlock", "text": message.content.text, "wrap": True}
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [title, text] if message.content.subject else [text],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": content}
    return {"type": "message", "attachments": [attachment]}
