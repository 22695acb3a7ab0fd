"""Discord: a message posted to a webhook (https://discord.com/developers/docs/resources/webhook#execute-webhook)."""

from deliveries.channels.base import Message
from deliveries.providers.base import Account
from deliveries.providers.calling import json_of, outcome_of, post_json
from deliveries.providers.hooks import HookKind
from deliveries.providers.words import titled
from workflows.steps.base import Outcome

LONGEST = 2000


class DiscordProvider(HookKind):
    """Posts into the channel of the webhook."""

    name = "discord"

    def send(self, message: Message, account: Account) -> Outcome:
        """One call. Nobody is mentioned, whatever a value says."""
        text = titled(message.content, bold="**", most=LONGEST)
        body = {"content": text, "allowed_mentions": {"parse": []}}
        url = account.credentials["url"]
        called = post_json(f"{url}{'&' if '?' in url else '?'}wait=true", body, {})
        return outcome_of(called, str(json_of(called).get("id", ""))[:64])
