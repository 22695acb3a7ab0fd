"""When a step is tried again: a pure rule, so it is asked for every random number that matters."""

from datetime import UTC, datetime, timedelta

import pytest

from workflows import retry
from workflows.retry import RetryPolicy

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def pauses(
    policy: RetryPolicy, drawn: float, monkeypatch: pytest.MonkeyPatch, wish: float | None = None
) -> list[float]:
    """Minutes before the second try, the third and so on."""
    monkeypatch.setattr(retry.random, "random", lambda: drawn)
    found = (policy.next_at(attempt, NOW, wish) for attempt in range(1, policy.max_attempts))
    return [round((at - NOW) / MINUTE, 2) for at in found if at is not None]


@pytest.mark.parametrize(
    ("backoff", "shortest", "longest"),
    [
        ("none", [10, 10, 10, 10], [12, 12, 12, 12]),
        ("linear", [10, 20, 25, 25], [12, 24, 30, 30]),  # the cap of 30 holds with what is added
        ("exponential", [10, 20, 25, 25], [12, 24, 30, 30]),
    ],
)
def test_a_pause_is_spread_and_never_longer_than_the_cap(
    backoff: str, shortest: list[float], longest: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = RetryPolicy(max_attempts=5, backoff=backoff, initial=10 * MINUTE, most=30 * MINUTE)

    assert sorted([pauses(policy, 0.0, monkeypatch), pauses(policy, 0.9999, monkeypatch)]) == [shortest, longest]
    assert policy.next_at(5, NOW) is None


def test_a_wish_of_the_receiver_is_the_least_pause_up_to_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = RetryPolicy(max_attempts=2, backoff="none", initial=MINUTE, most=2 * MINUTE)

    wished = [pauses(policy, 0.5, monkeypatch, wish)[0] for wish in (-1, 3600, 10_000_000)]
    assert wished == [pytest.approx(1.09, abs=0.02), 60, 24 * 60]
