"""Clients who go on while something happens to the service."""

import threading
import time

from tests.faults.calls import Calls, Tenant

PACE = 0.03  # seconds between an answer and the next request of a caller


class Callers:
    """Two who start a run as soon as the one before was accepted, each request until it is answered."""

    def __init__(self, calls: Calls, client: Tenant, domain: str) -> None:
        self.calls, self.client, self.domain = calls, client, domain
        self.going, self.accepted, self.refused = True, list[str](), list[int]()
        self.threads = [threading.Thread(target=self._call, args=(number,), daemon=True) for number in range(2)]
        for thread in self.threads:
            thread.start()

    def _call(self, caller: int) -> None:
        number = 0
        while self.going:
            number += 1
            who = f"c{caller}-{number}"
            body = {"workflow": "mail", "subject": who, "data": {"email": f"{who}@{self.domain}"}}
            answer = self.calls.insist(self.client, "POST", "runs", body)
            if answer.accepted:
                self.accepted.append(who)
            else:
                self.refused.append(answer.status)
            time.sleep(PACE)

    def stop(self) -> None:
        """Ask no more, and wait for the last answers."""
        self.going = False
        for thread in self.threads:
            thread.join(20)
