"""The scenario's hands: REST with a key, and webhooks signed as an upstream system signs them, over HTTP."""

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from standardwebhooks.webhooks import Webhook

T = TypeVar("T")
LOOK_EVERY = 0.1  # seconds


class DidNotHold(Exception):
    """A step of the scenario did not come out as promised."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: status and JSON body."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class Client:
    """One tenant's key and webhook source."""

    url: str
    slug: str
    api_key: str
    source: str
    secret: str

    def get(self, path: str) -> Any:
        """The body of a 200. Raises DidNotHold for anything else."""
        answer = self.ask("GET", path)
        expect(answer.status == 200, f"GET {path} answered {answer.status}: {answer.body}")
        return answer.body

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Any request with the tenant's key."""
        return self._send(method, f"{self.url}/v1/{path}", body, {"Authorization": f"Bearer {self.api_key}"})

    def upload(self, path: str, text: str, kind: str) -> Answer:
        """A file, put with the tenant's key."""
        headers = {"Authorization": f"Bearer {self.api_key}", "Content-Type": kind}
        return self._send("PUT", f"{self.url}/v1/{path}", text.encode(), headers)

    def hook(self, event: Mapping[str, Any]) -> Answer:
        """Post an event to the tenant's source, signed by Standard Webhooks over the very bytes that are sent."""
        raw, message_id, now = json.dumps(event), f"msg_{uuid.uuid4().hex}", datetime.now(UTC)
        headers = {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(self.secret).sign(message_id, now, raw),
        }
        return self._send("POST", f"{self.url}/hooks/{self.source}", event, headers)

    def _send(
        self, method: str, url: str, body: Mapping[str, Any] | bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        head = {"Content-Type": "application/json", **headers}
        request = urllib.request.Request(url, data, head, method=method)  # noqa: S310  an address on this machine
        try:
            with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
                return Answer(response.status, json.loads(response.read() or b"null"))
        except urllib.error.HTTPError as refusal:
            return Answer(refusal.code, json.loads(refusal.read() or b"null"))


def expect(held: bool, otherwise: str) -> None:
    """Raise DidNotHold unless `held`."""
    if not held:
        raise DidNotHold(otherwise)


def wait_for(look: Callable[[], T | None], what: str, seconds: float = 30.0) -> T:
    """What `look` finds once it finds something. Raises DidNotHold after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        expect(time.monotonic() < deadline, f"{what}: not within {seconds:g} s")
        time.sleep(LOOK_EVERY)
    return found
