"""What providers tell later: the message arrived, came back, was opened. One vocabulary for all of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import TextChoices

from signals_app.services.receive import BadSignature

if TYPE_CHECKING:
    from django.http import HttpRequest

__all__ = ["BadSignature", "Incoming", "Report", "ReportKind", "code_of"]
_CODE = re.compile(r"[A-Za-z]{1,40}")


class ReportKind(TextChoices):
    """What may be told of a message. Each is the last part of a signal's name: `notification.opened`."""

    DELIVERED = "delivered"
    FAILED = "failed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    OPENED = "opened"
    CLICKED = "clicked"


def code_of(told: object) -> str:
    """A provider's word of one piece for a kind of failure, such as MailboxFull; empty for whatever else it told."""
    return told if isinstance(told, str) and _CODE.fullmatch(told) else ""


@dataclass(frozen=True, slots=True)
class Report:
    """One thing that a provider tells. It names the delivery by our id, or else by its own (`ref`).

    `code` is a code of the provider's and holds no word of anybody's.
    """

    kind: ReportKind
    delivery: str = ""
    ref: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Incoming:
    """What was posted: the request as Django has it, its raw body, and the address as the provider knows it."""

    request: "HttpRequest"
    body: bytes
    url: str

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, whatever their case."""
        return self.request.headers
