"""Microsoft Teams: a card posted to the address of a workflow ("When a Teams webhook request is received")."""

from typing import Any

from deliveries.channels.base import Message
from deliveries.providers.base import Account
from deliveries.providers.calling import outcome_of, post_json
from deliveries.providers.hooks import HookKind
from workflows.steps.base import Outcome


class TeamsProvider(HookKind):
    """Posts an Adaptive Card."""

    name = "teams"

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
