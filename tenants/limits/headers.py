"""What a limit tells a caller: the fields of draft-ietf-httpapi-ratelimit-headers."""

import math
from collections.abc import Iterable

from tenants.limits.budget import Budget


def rate_limit_fields(budgets: Iterable[Budget]) -> dict[str, str]:
    """`RateLimit-Policy` (q: how many, w: in how many seconds) and `RateLimit` (r: left, t: seconds until full)."""
    told = list(budgets)
    if not told:
        return {}
    policy = ", ".join(f'"{one.kind}";q={one.amount}{f";w={one.period}" if one.period else ""}' for one in told)
    state = ", ".join(f'"{one.kind}";r={one.left}{_until_full(one)}' for one in told)
    return {"RateLimit-Policy": policy, "RateLimit": state}


def _until_full(budget: Budget) -> str:
    return f";t={math.ceil(budget.seconds_until(budget.amount))}" if budget.period else ""
