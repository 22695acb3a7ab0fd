"""Requests as an impatient client sends them: again, under the same key, until they are answered."""

import http.client
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from standardwebhooks.webhooks import Webhook

NO_ANSWER = 0
SLOW = 4.0  # seconds: answers that take longer are looked at when the run is over
PAUSE = 0.4  # seconds before a request is sent again


@dataclass(slots=True)
class Tenant:
    """What a client of one tenant knows."""

    slug: str
    api_key: str
    source: str = ""
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status (0: none came) and body. `at` is when it arrived, by this machine's clock."""

    status: int
    body: Any
    retry_after: str | None
    at: float

    @property
    def accepted(self) -> bool:
        """Whether the service took it."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Slow:
    """An answer that took long: when it came, after how many seconds, and to what."""

    at: float
    seconds: float
    status: int
    call: str


class GaveUp(Exception):
    """The run is over and the request was never answered."""


class Calls:
    """Sends requests and writes each of them down."""

    def __init__(self, host: str, port: int, log: Path) -> None:
        self.host, self.port = host, port
        self.url = f"http://{host}:{port}"
        self.deadline = float("inf")  # by the monotonic clock: nobody tries again after it
        self.statuses: Counter[int] = Counter()
        self.faults: list[str] = []  # answers that must never be given
        self.slow: list[Slow] = []
        self.longest_refusal = 0.0  # seconds until a 503 came
        self._log, self._lock = log.open("a"), threading.Lock()

    def once(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 12.0,
    ) -> Answer:
        """One try. `body` is sent as it is when it is bytes."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        began = time.monotonic()
        try:
            connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
            response = connection.getresponse()
            raw = response.read()
            answer = Answer(response.status, _json(raw), response.headers.get("Retry-After"), time.time())
        except (OSError, http.client.HTTPException):
            answer = Answer(NO_ANSWER, None, None, time.time())
        finally:
            connection.close()
        self._note(method, path, answer, time.monotonic() - began)
        return answer

    def ask(self, tenant: Tenant, method: str, path: str, body: Any = None, key: str = "") -> Answer:
        """A request with the tenant's key, once."""
        return self.once(method, f"/v1/{path}", body, _headers(tenant, key))

    def insist(self, tenant: Tenant, method: str, path: str, body: Any = None) -> Answer:
        """The same request under the same Idempotency-Key until it is answered. Raises GaveUp."""
        headers = _headers(tenant, str(uuid.uuid4()) if method != "GET" else "")
        return self.until_answered(method, f"/v1/{path}", body, headers)

    def hook(self, tenant: Tenant, event: Mapping[str, Any]) -> Answer:
        """A signed webhook, sent until it is answered. Raises GaveUp."""
        raw = json.dumps(event).encode()
        return self.until_answered("POST", f"/hooks/{tenant.source}", raw, signed(tenant.secret, raw))

    def until_answered(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Answer:
        """The first answer that is not a 5xx. Raises GaveUp when the run is over before it comes."""
        while True:
            answer = self.once(method, path, body, headers)
            if answer.status and answer.status < 500:
                return answer
            if time.monotonic() > self.deadline:
                raise GaveUp(f"{method} {path}")
            time.sleep(PAUSE)

    def _note(self, method: str, path: str, answer: Answer, seconds: float) -> None:
        """5xx other than 503 must never be seen, and neither 503 nor 429 without `Retry-After`."""
        with self._lock:
            self.statuses[answer.status] += 1
            if answer.status == 503:
                self.longest_refusal = max(self.longest_refusal, seconds)
            if answer.status and seconds > SLOW:
                self.slow.append(Slow(answer.at, seconds, answer.status, f"{method} {path}"))
            says_when = answer.status in (429, 503) and (answer.retry_after or "").isdigit()
            if (answer.status >= 500 or answer.status == 429) and not says_when:
                self.faults.append(f"{method} {path} answered {answer.status}: {answer.body}")
            line = {"at": answer.at, "method": method, "path": path, "status": answer.status, "seconds": seconds}
            self._log.write(json.dumps(line) + "\n")


def signed(secret: str, raw: bytes) -> dict[str, str]:
    """Headers of a webhook as its sender signs it."""
    message_id, now = f"msg_{uuid.uuid4().hex}", datetime.now(UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, now, raw.decode()),
    }


def _headers(tenant: Tenant, key: str = "") -> dict[str, str]:
    return {"Authorization": f"Bearer {tenant.api_key}", **({"Idempotency-Key": key} if key else {})}


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw or b"null")
    except ValueError:
        return raw[:200].decode(errors="replace")
