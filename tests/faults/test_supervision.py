"""Work that never returns: its claim is lost, and the process that hangs leaves so that another is started."""

import os
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from chimeway_py import progress, watchdog
from tenants.models import Tenant
from tests.steps.owing import attempts, claimed, owed, step_run_of
from tests.workflows.conftest import probe
from tests.workflows.probe import Probe
from workflows.errors import StaleAttempt
from workflows.services import lease
from workflows.services.work import claim_work, finish_work
from workflows.steps.base import Outcome

__all__ = ["probe"]
ROOT = Path(__file__).resolve().parents[2]


def test_work_that_never_returns_loses_its_claim(
    tenant: Tenant, probe: Probe, monkeypatch: pytest.MonkeyPatch, settings: object
) -> None:
    monkeypatch.setattr(lease, "WORK_SECONDS", 1.5)
    settings.LEASE_SECONDS = 1  # type: ignore[attr-defined]
    run_id = owed(tenant)
    hanging = claimed(tenant, "hangs")
    returned = threading.Event()

    def hang() -> None:
        with lease.kept_alive(hanging):
            returned.wait(90)

    thread = threading.Thread(target=hang)
    thread.start()
    first_end = lease_of(tenant, run_id)
    deadline = time.monotonic() + 60
    while lease_of(tenant, run_id) == first_end and time.monotonic() < deadline:
        time.sleep(0.02)
    kept = claim_work(tenant_id=tenant.pk, worker="other", now=first_end + timedelta(milliseconds=1))
    heir = None
    while heir is None and time.monotonic() < deadline:
        time.sleep(0.1)
        heir = claim_work(tenant_id=tenant.pk, worker="other")
    returned.set()
    thread.join(5)

    assert kept is None, "its lease was renewed until its time was over"
    assert heir is not None
    assert heir.attempt_number == 2
    with pytest.raises(StaleAttempt):
        finish_work(claim=hanging, outcome=Outcome("delivered"))
    finish_work(claim=heir, outcome=Outcome("delivered"))
    assert [attempt[:2] for attempt in attempts(tenant)] == [(1, "lost"), (2, "finished")]
    assert step_run_of(tenant, run_id).status == "succeeded"


def lease_of(tenant: Tenant, run_id: int) -> datetime:
    """Until when nobody else may have the work."""
    due = step_run_of(tenant, run_id).due_at
    assert due is not None
    return due


def test_a_worker_whose_work_never_returns_leaves() -> None:
    code = """
import signal, time
from chimeway_py import progress, watchdog
signal.signal(signal.SIGTERM, lambda *_: print("asked to end", flush=True))
watchdog.LOOK_EVERY, watchdog.HUNG_FOR, watchdog.LEAVING = 0.05, 0.2, 0.2
watchdog.HangWatch().start()
with progress.expected_within(60):
    time.sleep(0.6)
print("was left alone", flush=True)
with progress.expected_within(0.1):
    while True:
        time.sleep(0.05)
"""
    hanging = [sys.executable, "-c", code]
    ended = subprocess.run(
        hanging, env=dict(os.environ), cwd=ROOT, capture_output=True, text=True, timeout=90, check=False
    )

    assert ended.returncode == watchdog.EXIT_CODE, ended.stderr
    told = [line for line in ended.stdout.splitlines() if line in ("was left alone", "asked to end")]
    assert told == ["was left alone", "asked to end"]


def test_what_ended_in_time_is_not_overdue() -> None:
    with progress.expected_within(60):
        assert progress.overdue() == 0
    with progress.expected_within(-1):
        assert progress.overdue() >= 1
    assert progress.overdue() == 0


@pytest.mark.parametrize(
    ("looks", "lasts"),
    [
        ([(5, 0, True), (5, 3, True), (5, 6, True), (5, 9, True)], 4.0),  # nothing but failures, every two seconds
        ([(5, 0, True), (5, 3, True), (6, 6, True), (6, 7, True)], 0.0),  # one went well meanwhile
        ([(5, 0, True), (5, 3, True), (5, 6, False), (5, 9, True)], 0.0),  # PostgreSQL was away
        ([(5, 0, True), (5, 3, True), (4, 3, True), (5, 6, True)], 4.0),  # one was under way
        ([(5, 0, True), (5, 3, True), *[(5, 3, True)] * 6], 0.0),  # nothing was due after it
        ([(5, 0, True)] * 4, 0.0),
    ],
)
def test_turns_that_do_nothing_but_fail_are_told_from_others(
    looks: list[tuple[int, int, bool]], lasts: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures, now = watchdog.Failures(), 100.0
    for well, failed, answers in looks:
        now += watchdog.LOOK_EVERY
        monkeypatch.setattr(watchdog, "turns", lambda told=(well, failed): told)
        monkeypatch.setattr(watchdog, "_postgres_answers", lambda told=answers: told)
        found = failures.last_for(now)

    assert found == lasts


def test_every_process_that_works_has_a_watchdog() -> None:
    sweeper = (ROOT / "workflows" / "management" / "commands" / "sweeper.py").read_text()
    worker = (ROOT / "chimeway_py" / "celery.py").read_text()

    assert "HangWatch().start()" in sweeper
    assert "import chimeway_py.watchdog" in worker
