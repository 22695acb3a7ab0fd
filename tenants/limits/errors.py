"""Refusals of limits. They are the same for REST, webhooks and callers in the process."""

import math

from chimeway_py.errors import ChimewayError
from tenants.limits.budget import Budget
from tenants.limits.headers import rate_limit_fields


class LimitReached(ChimewayError):
    """The tenant has used up one of its limits. Nothing was written. `detail` says which, and when there is room."""

    code = "limit_reached"
    status = 429
    retryable = True

    def __init__(self, budget: Budget, wanted: int) -> None:
        self.budget, self.headers = budget, rate_limit_fields([budget])
        self.wait = max(1, math.ceil(budget.seconds_until(wanted)))
        detail = {**_which(budget, wanted), "retry_after": self.wait}
        super().__init__(f"The limit {budget.kind} of {budget.amount} is used up: {budget.left} left.", detail)


class BeyondLimit(ChimewayError):
    """The request asks for more at once than a limit of the tenant ever allows. Send it in parts."""

    code = "beyond_limit"
    status = 413

    def __init__(self, budget: Budget, wanted: int) -> None:
        self.budget = budget
        said = f"The request needs {wanted} of {budget.kind}, which allows {budget.amount}. Send it in parts."
        super().__init__(said, _which(budget, wanted))


def _which(budget: Budget, wanted: int) -> dict[str, int | str]:
    return {"limit": str(budget.kind), "amount": budget.amount, "asked": wanted, "left": budget.left}
