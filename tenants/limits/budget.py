"""One limit of one tenant as it stands."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from tenants.limits.kinds import PERIOD, LimitKind


@dataclass(frozen=True, slots=True)
class Budget:
    """What is left of a limit. `used_by` says who used how much since `since` (seconds ago), most first."""

    kind: LimitKind
    amount: int
    remaining: float
    used_by: Mapping[str, int] = field(default_factory=dict)

    @property
    def left(self) -> int:
        """How many more fit now."""
        return max(0, math.floor(self.remaining))

    @property
    def period(self) -> int:
        """Seconds in which an empty bucket is full again; 0 where nothing fills by time."""
        return PERIOD[self.kind]

    def seconds_until(self, wanted: int) -> float:
        """How long until so many fit, if nobody takes any meanwhile. Runs that end say not when: 1."""
        if not self.period:
            return 1.0
        return max(0.0, (wanted - self.remaining) * self.period / max(self.amount, 1))
