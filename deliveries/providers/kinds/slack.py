"""Slack: a bot that posts into channels (https://docs.slack.dev/reference/methods/chat.postMessage), or a hook."""

from collections.abc import Iterator, Mapping
from typing import Any

from chimeway_py.errors import fault
from deliveries.channels.base import Message
from deliveries.providers.base import TEXT, TOKEN, URL, Account, ProviderKind
from deliveries.providers.calling import json_of, outcome_of, post_json, url_faults
from deliveries.providers.words import titled
from deliveries.states import DeliveryStatus
from workflows.steps.base import Fault, Outcome

API = "https://slack.com/api"
_OF_THE_ACCOUNT = frozenset(
    {"account_inactive", "invalid_auth", "missing_scope", "not_authed", "token_expired", "token_revoked"}
)
_NOT_YET = frozenset({"internal_error", "fatal_error", "ratelimited", "request_timeout", "service_unavailable"})
_MAYBE_DONE = frozenset({"internal_error", "fatal_error", "request_timeout"})


class SlackProvider(ProviderKind):
    """Posts as a bot where there is a `token`, else to the hook in `url`."""

    name, channel = "slack", "chat"
    config = {"api": URL, "to": TEXT}
    credentials = {"token": TOKEN, "url": URL}

    def check(self, config: Mapping[str, Any], credentials: Mapping[str, str]) -> Iterator[Fault]:
        """Neither or both ways in; an address that we do not call."""
        if ("token" in credentials) == ("url" in credentials):
            yield fault("/credentials", "required", "The `token` of a bot, or the `url` of a hook.")
        for place, url in (("/config/api", config.get("api")), ("/credentials/url", credentials.get("url"))):
            if url:
                yield from url_faults(place, url)

    def send(self, message: Message, account: Account) -> Outcome:
        """One call. Values cannot mention anybody or make links: the text is escaped as Slack asks."""
        text = _escaped(titled(message.content, bold="*"))
        if "url" in account.credentials:
            return outcome_of(post_json(account.credentials["url"], {"text": text}, {}))
        to = message.recipient or account.config.get("to", "")
        if not to:
            return Outcome(DeliveryStatus.PERMANENT_FAILURE, "no_recipient")
        headers = {"authorization": f"Bearer {account.credentials['token']}"}
        url = f"{account.config.get('api', API).rstrip('/')}/chat.postMessage"
        called = post_json(url, {"channel": to, "text": text}, headers)
        said = json_of(called)
        if called.error or said.get("ok") is True:
            return outcome_of(called, str(said.get("ts", ""))[:64])
        return _refusal(str(said.get("error", "no answer"))[:64])


def _refusal(code: str) -> Outcome:
    """Slack says no under a status of 200."""
    if code in _OF_THE_ACCOUNT | _NOT_YET:
        maybe_done = code in _MAYBE_DONE
        return Outcome(DeliveryStatus.TEMPORARY_FAILURE, f"slack {code}", retryable=True, maybe_done=maybe_done)
    if code == "no answer":
        return Outcome(DeliveryStatus.UNKNOWN, "answer not understood", retryable=True)
    return Outcome(DeliveryStatus.PERMANENT_FAILURE, f"slack {code}")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
