"""What `bin/prove` judges by itself: that it came to rest, whether the machine was its own, and how long it took."""

import random
import time
from subprocess import CompletedProcess
from unittest.mock import MagicMock

import pytest
import redis

from tests.faults import chaos, prove
from tests.faults.beginning import TIMES, Beginning
from tests.faults.checker import Verdict
from tests.faults.facts import Facts
from tests.faults.plan import Length, Plan
from tests.faults.prove import Prover
from tests.faults.report import Report

QUIET, BUSY = 0.0, 1000.0  # load of the machine
REPEATED = (
    *("flush_broker", "kill_broker_again_and_again", "kill_broker_clients"),
    *("kill_postgres_again_and_again", "terminate_backends", "cut_database_link"),
    *("kill_work_again_and_again", "kill_loop"),
)


def prover(load: float = QUIET) -> Prover:
    """In the middle of a run without journeys and faults, on a ground where all is well."""
    ground = MagicMock(tenants=[])
    ground.calls.configure_mock(faults=[], slow=[], statuses={}, longest_refusal=0.0)
    ground.manage.return_value = ground.heads.return_value = CompletedProcess([], 0, "", "")
    length = Length(faults=0, pause=0, storm=0, storm_faults=0, drain=0.0)
    return Prover(ground, Plan("seed", 0.0, [], []), length, Beginning(load=load))


@pytest.fixture(autouse=True)
def nothing_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove, "read_facts", lambda database: Facts([], [], [], {}))


def test_what_did_not_come_to_rest_is_stuck() -> None:
    one = prover()
    assert one._judge().verdict.held

    one = prover()
    one._rest(lambda: True)

    assert one._judge().verdict.stuck == ["it had not come to rest after 0 s"]


def test_what_a_busy_machine_leaves_unjudged_stands_among_what_is_not_verified() -> None:
    quiet, busy = ([*prover(load)._judge().lines()] for load in (QUIET, BUSY))

    told = f"  in this run: {TIMES}"
    assert told not in quiet
    assert busy.index("Not verified") < busy.index(told)


@pytest.mark.parametrize(
    ("load", "seconds", "violations", "left_out"), [(QUIET, 890, 0, 0), (QUIET, 910, 1, 0), (BUSY, 910, 0, 1)]
)
def test_a_run_that_takes_longer_than_promised_says_so(
    load: float, seconds: float, violations: int, left_out: int
) -> None:
    report = Report("s", 0, {}, {}, {}, [], [], Verdict(), [], 1.0, load)

    told = report.ended(Beginning(at=time.monotonic() - seconds, load=load), within=900)

    assert (len(told.verdict.violations), len(told.left_out)) == (violations, left_out)
    assert any(f"{seconds} s on" in line and "at most 900 s" in line for line in told.figures())


@pytest.mark.parametrize("kind", REPEATED)
def test_a_fault_that_breaks_again_and_again_ends_with_the_last_time(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recovery is timed from its end: a pause after the last time would be seconds that nobody counts."""
    ground = MagicMock()
    ground.child.return_value.is_running = True
    ground.broker.server.is_running = ground.postgres.server.is_running = False
    ground.superuser.return_value.__enter__.return_value.execute.return_value.fetchone.return_value = (1,)
    ground.database_link.reset.return_value = 1
    monkeypatch.setattr(redis.Redis, "from_url", ground.redis)
    world = chaos.World(ground, random.Random(1), chaos.Broken(kind, 0.0), many=0.05)

    done_by_then = [len(ground.mock_calls) for _ in chaos.KINDS[kind](world)]

    assert len(ground.mock_calls) > done_by_then[-1]
