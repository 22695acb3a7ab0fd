"""Counting failures by address, in this process and in bounded memory: guesses are refused before they cost anything.

It is a brake, not a book: each process counts for itself, and forgets the addresses that it has not heard of longest.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from typing import Any

REMEMBERED = 10_000  # addresses, and proofs; each takes about 200 bytes


class Brake:
    """Lets so many failures a minute through from an address, then none until some time has passed.

    Whoever has proved something lately (the text of a key that was good) is let through from a braked address too: a
    stranger behind the same proxy cannot shut out those who were here before.
    """

    def __init__(self) -> None:
        self._failures: OrderedDict[str, tuple[float, float]] = OrderedDict()  # address -> failures, at that time
        self._proved: OrderedDict[bytes, None] = OrderedDict()
        self._lock = threading.Lock()

    def seconds_to_wait(self, address: str, proof: str, a_minute: int) -> float:
        """0 when the next try may be made, else how long until it may."""
        if not a_minute or not address:
            return 0.0
        with self._lock:
            if (proof and _name(proof) in self._proved) or address not in self._failures:
                return 0.0
            return max(0.0, (self._now(address, a_minute) - a_minute + 1) * 60 / a_minute)

    def failed(self, address: str, a_minute: int, proof: str = "") -> None:
        """One more failure from there. What was shown is good no longer, if it ever was."""
        with self._lock:
            self._proved.pop(_name(proof), None)
            if not a_minute or not address:
                return
            failures = min(a_minute, self._now(address, a_minute) + 1)
            self._failures[address] = failures, time.monotonic()
            _keep(self._failures, address)

    def proved(self, proof: str) -> None:
        """This text was good: it is not braked for what others do."""
        name = _name(proof)
        with self._lock:
            self._proved[name] = None
            _keep(self._proved, name)

    def forget(self) -> None:
        """Start anew."""
        with self._lock:
            self._failures.clear()
            self._proved.clear()

    def size(self) -> tuple[int, int]:
        """How many addresses and proofs are remembered."""
        return len(self._failures), len(self._proved)

    def _now(self, address: str, a_minute: int) -> float:
        failures, at = self._failures.get(address, (0.0, 0.0))
        return max(0.0, failures - (time.monotonic() - at) * a_minute / 60)


def _keep(remembered: OrderedDict[Any, Any], newest: Any) -> None:
    remembered.move_to_end(newest)
    while len(remembered) > REMEMBERED:
        remembered.popitem(last=False)


def _name(proof: str) -> bytes:
    """A digest: keys are not kept in memory longer than a request."""
    return hashlib.sha256(proof.encode(errors="surrogateescape")).digest()[:16]
