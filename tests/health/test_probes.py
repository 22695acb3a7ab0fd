"""Whether the process lives, and whether it can serve."""

import threading
import time
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from chimeway_py import health
from chimeway_py.probes import Probe


def test_alive_asks_nobody(monkeypatch: pytest.MonkeyPatch):
    from django.db.backends.base.base import BaseDatabaseWrapper

    monkeypatch.setattr(BaseDatabaseWrapper, "cursor", lambda *_, **__: pytest.fail("it asked the database"))

    response = Client().get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_ready_with_database_and_broker():
    response = Client().get("/readyz")

    assert (response.status_code, response.json()) == (200, {"status": "ok", "database": "ok", "broker": "ok"})


def test_a_dead_broker_is_told_and_makes_nothing_unready(monkeypatch: pytest.MonkeyPatch):
    from celery import current_app

    monkeypatch.setattr(current_app.conf, "broker_write_url", "redis://127.0.0.1:1/0")

    response = Client().get("/readyz")

    assert response.status_code == 200
    assert response.json()["broker"] not in {"ok", ""}


def test_a_frozen_broker_costs_a_second(monkeypatch: pytest.MonkeyPatch):
    thaw = threading.Event()
    monkeypatch.setattr(health, "_broker", Probe("frozen", lambda: str(thaw.wait(60))))
    began = time.monotonic()

    answers = [Client().get("/readyz").json()["broker"] for _ in range(2)]

    assert answers == ["no answer", "no answer"]
    assert time.monotonic() - began < 30
    assert sum(thread.name == "probe-frozen" for thread in threading.enumerate()) == 1  # nobody asks twice
    thaw.set()


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"role_faults": lambda: ["it owns tables"]}, "unsafe role"),
        ({"_on_disk": lambda: frozenset({("tenants", "0999_future")})}, "1 migrations missing"),
    ],
)
def test_not_ready(monkeypatch: pytest.MonkeyPatch, found: dict[str, Any], said: str):
    for name, value in found.items():
        monkeypatch.setattr(health, name, value)

    response = Client().get("/readyz")

    assert (response.status_code, response.json()["database"]) == (503, said)


def test_a_database_that_is_away_is_named_by_the_error(monkeypatch: pytest.MonkeyPatch):
    def away() -> str:
        raise OperationalError("password of somebody")

    monkeypatch.setattr(health, "_database", Probe("database", away))

    response = Client().get("/readyz")

    assert (response.status_code, response.json()["database"]) == (503, "OperationalError")
    assert "password" not in response.content.decode()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_answer_only_reads(path: str):
    assert Client().post(path).status_code == 405
