"""Journeys: what a client of a tenant may do through REST and signed webhooks, and how the answers are judged.

What was accepted is noted with the journey.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.faults.calls import Answer, Calls, Tenant

LIMITED = 429


@dataclass(slots=True)
class Journey:
    """One planned journey: which tenant, which kind, when, and its own random choices."""

    number: int
    at: float  # seconds after the start of the traffic
    kind: str
    tenant: int
    choices: tuple[float, ...]
    order: str = ""
    accepted: dict[str, float] = field(default_factory=dict)  # operation -> when its 2xx arrived
    receipts: dict[str, str] = field(default_factory=dict)  # signal -> public id of its receipt
    refused: dict[str, int] = field(default_factory=dict)  # operation -> status, where a refusal is an answer
    surprises: list[str] = field(default_factory=list)
    run_id: str = ""
    ended: bool = False  # its script came to its end

    def __str__(self) -> str:
        choices = " ".join(f"{choice:.2f}" for choice in self.choices)
        return f"{self.at:7.2f} s  tenant {self.tenant}  {self.kind:<10} {choices}"


class Walker:
    """Carries out one operation of a journey and judges the answer."""

    def __init__(self, journey: Journey, calls: Calls, tenants: list[Tenant]) -> None:
        self.journey, self.calls = journey, calls
        self.tenant = tenants[journey.tenant]
        self.stranger = tenants[(journey.tenant + 1) % len(tenants)]

    def start(self) -> None:
        """Start the run by REST, under an idempotency key of its own."""
        body = self._start_body()
        answer = self.calls.insist(self.tenant, "POST", "runs", body)
        if self._took("start", answer, 200, 201):
            self.journey.run_id = answer.body["runs"][0]["id"]

    def start_in_turn(self) -> float | None:
        """Start the run, or the seconds after which there is room for it, as the refusal of a limit tells."""
        answer = self.calls.insist(self.tenant, "POST", "runs", self._start_body("canary"))
        if answer.status != LIMITED:
            self._took("start", answer, 200, 201)
            return None
        self._refused("start", answer, LIMITED)
        return float(answer.retry_after or 1)  # without one it is a violation already

    def start_again(self) -> None:
        """The same start without the header: the run's own key must give the first run again."""
        answer = self.calls.insist(self.tenant, "POST", "runs", self._start_body())
        if self._took("start again", answer, 200, 201) and answer.body["runs"][0]["id"] != self.journey.run_id:
            self.journey.surprises.append("the same start gave another run")

    def place(self) -> None:
        """Start the run by a signed webhook."""
        self._hook("placed", "order.placed")

    def pay(self) -> None:
        """`order.paid` as a signed webhook."""
        self._hook("paid", "order.paid")

    def pay_by_rest(self) -> None:
        """`order.paid` through REST."""
        signal = {
            "name": "order.paid",
            "correlation": {"order_id": self.journey.order},
            "external_id": self._id("paid"),
        }
        answer = self.calls.insist(self.tenant, "POST", "signals", signal)
        if self._took("paid", answer, 200, 202):
            self.journey.receipts["paid"] = answer.body["id"]

    def pay_otherwise(self) -> None:
        """The id of the payment with another body: a conflict, and the first is kept."""
        event = {**self._event("paid", "order.paid"), "amount": 1}
        self._refused("pay otherwise", self.calls.hook(self.tenant, event), 409)

    def forge(self) -> None:
        """A webhook under the stranger's secret: refused, and nothing is written."""
        stranger = Tenant(self.tenant.slug, "", self.tenant.source, self.stranger.secret)
        self._refused("forge", self.calls.hook(stranger, self._event("paid", "order.paid")), 401)

    def trespass(self) -> None:
        """Another tenant cancels our run: it does not exist for them."""
        path = f"runs/{self.journey.run_id}/cancel"
        self._refused("trespass", self.calls.insist(self.stranger, "POST", path, {"reason": "mine"}), 404)

    def poison(self) -> None:
        """A body that no parser may choke on."""
        raw = b'{"name": "order.paid", "data": {"a": "\\u0000"}}'
        headers = {"Authorization": f"Bearer {self.tenant.api_key}"}
        answer = self.calls.until_answered("POST", "/v1/signals", raw, headers)
        self._refused("poison", answer, 400)

    def shout(self) -> None:
        """A signal that nobody listens for: kept, with a verdict all the same."""
        signal = {"name": "nobody.listens", "external_id": self._id("shout")}
        answer = self.calls.insist(self.tenant, "POST", "signals", signal)
        if self._took("shout", answer, 200, 202):
            self.journey.receipts["shout"] = answer.body["id"]

    def control(self, verb: str, **body: Any) -> None:
        """Cancel, pause, resume, approve. A run that has ended, or is not there yet, may refuse."""
        path = f"runs/{self.journey.run_id}/{verb}"
        answer = self.calls.insist(self.tenant, "POST", path, body or {"reason": "a client asked"})
        if answer.accepted:
            self.journey.accepted[verb] = answer.at
        elif answer.status == 409:
            self.journey.refused[verb] = answer.status
        else:
            self.journey.surprises.append(f"{verb} answered {answer.status}: {answer.body}")

    def state(self) -> str:
        """Where the run stands, as REST tells it."""
        answer = self.calls.insist(self.tenant, "GET", f"runs/{self.journey.run_id}")
        return str(answer.body["state"]) if answer.accepted else ""

    def _start_body(self, workflow: str = "") -> dict[str, Any]:
        order = self.journey.order
        return {
            "workflow": workflow or self.journey.kind,
            "subject": f"customer-{self.journey.number}",
            "correlation": {"order_id": order},
            "data": {"order_id": order, "email": f"{order}@example.org"},
            "idempotency_key": order,
        }

    def _id(self, what: str) -> str:
        return f"{what}-{self.journey.order}"

    def _event(self, what: str, name: str) -> dict[str, Any]:
        order = self.journey.order
        customer = f"customer-{self.journey.number}"
        mail = f"{order}@example.org"
        return {"type": name, "id": self._id(what), "customer": customer, "order_id": order, "email": mail}

    def _hook(self, what: str, name: str) -> None:
        answer = self.calls.hook(self.tenant, self._event(what, name))
        if self._took(what, answer, 200, 202):
            first = self.journey.receipts.setdefault(what, answer.body["id"])
            if first != answer.body["id"]:
                self.journey.surprises.append(f"{what} sent again got another receipt")

    def _took(self, what: str, answer: Answer, *expected: int) -> bool:
        if answer.status in expected:
            self.journey.accepted.setdefault(what, answer.at)
            return True
        self.journey.surprises.append(f"{what} answered {answer.status}: {json.dumps(answer.body)[:300]}")
        return False

    def _refused(self, what: str, answer: Answer, expected: int) -> None:
        self.journey.refused[what] = answer.status
        if answer.status != expected:
            self.journey.surprises.append(f"{what} answered {answer.status} and not {expected}: {answer.body}")
