"""Public ids are versioned, timed and in order."""

import time
import uuid

import pytest

from tenants import ids
from tenants.ids import new_public_id


def test_they_are_of_version_7_and_say_when() -> None:
    before = time.time_ns() // 1_000_000
    made = new_public_id()

    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000


def test_a_process_gives_them_in_order_and_none_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = time.time_ns()
    monkeypatch.setattr(ids.time, "time_ns", lambda: stopped)

    made = [new_public_id() for _ in range(10_000)]

    assert made == sorted(set(made))
