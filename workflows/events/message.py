"""What is sent: one body and one id for every try of an event, signed anew each time."""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from chimeway_py.outbound.call import Called, call
from chimeway_py.outbound.signing import signed_headers

GONE = 410
TOTAL_SECONDS = 15.0  # for a receiver to take one event, as Standard Webhooks recommends at least


@dataclass(frozen=True, slots=True)
class Told:
    """An event, as it is sent. Its public id is the `webhook-id`, also when it is replayed."""

    public_id: UUID
    type: str
    data: dict[str, Any]
    occurred_at: datetime

    def body(self) -> str:
        """The JSON, the same text at every try."""
        whole = {
            "type": self.type,
            "timestamp": self.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "data": dict(sorted(self.data.items())),
        }
        return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Tried:
    """How one try went."""

    called: Called
    started_at: datetime
    duration_ms: int

    @property
    def succeeded(self) -> bool:
        """Whether the receiver said 2xx."""
        return not self.called.error

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants nothing any more."""
        return self.called.answer is not None and self.called.answer.status == GONE

    @property
    def is_unwell(self) -> bool:
        """Whether the receiver, rather than the event, is the trouble: it does not answer, or asks for time."""
        return not self.succeeded and (self.called.answer is None or self.called.retryable)


def send(told: Told, url: str, secrets: list[str]) -> Tried:
    """Post an event once, outside any transaction. Never raises for what an address or a network does."""
    started_at, started = datetime.now(UTC), time.monotonic()
    body = told.body()
    headers = signed_headers(secrets, str(told.public_id), body, started_at)
    called = call("POST", url, content=body.encode(), headers=headers, total_seconds=TOTAL_SECONDS)
    return Tried(called, started_at, int((time.monotonic() - started) * 1000))
