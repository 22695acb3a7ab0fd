"""What providers of mail have in common: the sender that they are configured with, checked before anybody is asked."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from email import policy
from email.errors import MessageError, ObsoleteHeaderDefect
from functools import lru_cache
from typing import Any

from django.core.exceptions import ValidationError
from django.core.mail.message import sanitize_address
from django.core.validators import validate_email

from chimeway_py.errors import fault
from chimeway_py.text import is_storable
from deliveries.channels.base import Message
from deliveries.providers.base import Account, ProviderKind
from deliveries.states import DeliveryStatus
from workflows.steps.base import Fault, Outcome

LONGEST_SENDER = 400
SENDER = {"type": "string", "minLength": 1, "maxLength": LONGEST_SENDER}


class MailKind(ProviderKind):
    """A kind whose `from` is one mailbox. `hand_over` is only asked when it is one."""

    channel = "email"

    def check(self, config: Mapping[str, Any], credentials: Mapping[str, str]) -> Iterator[Fault]:
        """A sender that no mail can have."""
        if not is_mailbox(config["from"]):
            told = "One address, such as ada@example.com or Acme <news@example.com>; a name with a comma in quotes."
            yield fault("/config/from", "bad_address", told)

    def send(self, message: Message, account: Account) -> Outcome:
        """Try once. A bad sender is the account's fault, so the next provider is asked."""
        if not is_mailbox(account.config["from"]):
            return Outcome(DeliveryStatus.TEMPORARY_FAILURE, "bad_sender", retryable=True)
        return self.hand_over(message, account)

    @abstractmethod
    def hand_over(self, message: Message, account: Account) -> Outcome:
        """What `send` does, from a sender that is one mailbox."""


@lru_cache(1024)
def is_mailbox(text: str) -> bool:
    """Whether this is one address, with or without a name, that a header can hold."""
    if not is_storable(text, LONGEST_SENDER) or not text.isprintable():
        return False
    try:
        header = policy.default.header_factory("From", text)
        (one,) = header.addresses
        validate_email(one.addr_spec)
        sanitize_address(text, "utf-8")  # as sending does
    except (ValidationError, ValueError, LookupError, TypeError, AttributeError, MessageError):
        return False
    is_sound = all(isinstance(defect, ObsoleteHeaderDefect) for defect in header.defects)  # such as in: Acme Inc.
    return is_sound and [group.display_name for group in header.groups] == [None]
