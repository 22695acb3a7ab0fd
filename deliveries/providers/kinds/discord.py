"""Discord: a message posted to a webhook (https://discord.com/developers/docs/resources/webhook#execute-webhook)."""

from collections.abc import Iterator, Mapping
from typing import Any

from deliveries.channels.base import Message
from deliveries.providers.base import URL, Account, ProviderKind, refused_address
from deliveries.providers.calling import address_fault, json_of, outcome_of, post_json
from deliveries.providers.words import titled
from workflows.steps.base import Fault, Outcome

LONGEST = 2000


class DiscordProvider(ProviderKind):
    """Posts into the channel of the webhook. The address is the whole secret."""

    name, channel = "discord", "chat"
    credentials = {"url": URL}
    secret = ("url",)

    def check(self, config: Mapping[str, Any], credentials: Mapping[str, str]) -> Iterator[Fault]:
        """An address that we do not call."""
        if reason := address_fault(credentials["url"]):
            yield refused_address("/credentials/url", reason)

    def send(self, message: Message, account: Account) -> Outcome:
        """One call. Nobody is mentioned, whatever a value says."""
        text = titled(message.content, bold="**", most=LONGEST)
        body = {"content": text, "allowed_mentions": {"parse": []}}
        url = account.credentials["url"]
        called = post_json(f"{url}{'&' if '?' in url else '?'}wait=true", body, {})
        return outcome_of(called, str(json_of(called).get("id", ""))[:64])
