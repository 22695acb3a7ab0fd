"""The benchmarks of traffic at the smallest size."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.checks import Check
from benchmarks.deliver import _posted
from benchmarks.fairness import _always_waited
from benchmarks.flood import backlog
from benchmarks.http_client import Wire, post
from benchmarks.report import Report, percentile
from benchmarks.waiting import NeverHappened, wait_until
from tests.benchmarks.conftest import Measure


def _failed(report: Report) -> list[str]:
    return [f"{check.what} {check.found}" for check in report.checks if not check.holds]


def test_intake_stores_every_signal_and_refuses_a_forged_one(measure: Measure) -> None:
    report = measure("intake", *["--webhooks", "20", "--batches", "2", "--batch", "15", "--clients", "3"])

    assert _failed(report) == []
    assert "a forged webhook is refused" in [check.what for check in report.checks]
    assert [row["signals"] for row in report.rows] == [20, 30]
    assert all(row["signals_per_s"] > 0 for row in report.rows)
    assert "26 of the signals matched" in [check.what for check in report.checks]


def test_timers_fire_and_none_early(measure: Measure) -> None:
    report = measure("timers", *["--timers", "30", "--window", "1", "--lead", "15"])

    assert _failed(report) == []
    (row,) = report.rows
    assert row["fired"] == 30
    assert 0 <= row["late_p50_s"] <= row["late_most_s"]


def test_timers_that_cannot_be_seeded_in_time_are_not_measured(measure: Measure) -> None:
    with pytest.raises(NeverHappened, match="--lead"):
        measure("timers", *["--timers", "5", "--window", "1", "--lead", "0"])


def test_fairness_watches_others_in_quiet_in_a_flood_and_beside_a_backlog(measure: Measure) -> None:
    load = ["--rate", "2", "--times", "5", "--batch", "10", "--singles", "5", "--backlog", "1000", "--spare", "12000"]
    report = measure("fairness", *["--others", "2", "--seconds", "2", *load])

    quiet, flooded, singly, beside = report.rows
    always = _always_waited(beside)  # not for tests to judge: a busy machine may hold up the client that sends
    assert [failed for failed in _failed(report) if not failed.startswith(always.what)] == []
    assert quiet["signals"] > 0
    assert flooded["flood_sent"] >= 20
    assert 1 <= singly["flood_sent"] <= 11
    assert beside["flood_done_per_s"] > 0


def test_a_backlog_that_ran_dry_is_found() -> None:
    assert _always_waited({"flood_least_backlog": 1, "flood_ran_out": False}).holds
    assert not _always_waited({"flood_least_backlog": 0, "flood_ran_out": False}).holds
    assert not _always_waited({"flood_least_backlog": 9, "flood_ran_out": True}).holds


def test_a_backlog_is_kept_up_until_its_runs_are_used_up() -> None:
    waiting: list[int] = []

    def left() -> int:
        del waiting[:20]
        return len(waiting)

    told = backlog(lambda sent: waiting.extend(range(10)), 10, left, lambda: False, least=30, most=95)

    assert (told["sent"], told["ran_out"]) == (90, True)
    assert told["least_backlog"] >= 0


def test_every_message_arrives_once(measure: Measure, settings: Any) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.0/8"]

    report = measure("deliver", "--messages", "8")

    assert _failed(report) == []
    assert [row["what"] for row in report.rows] == ["mail", "hook"]


def test_a_message_that_did_not_arrive_is_found(tmp_path: Path) -> None:
    (tmp_path / "000001.json").write_text("{}")

    assert _posted(tmp_path, 1) == Check("1 webhooks received", True, "(1)")
    assert not _posted(tmp_path, 2).holds


def test_the_client_reads_whole_answers_and_opens_closed_connections_again(web_server: str) -> None:
    wire = Wire(int(web_server.rsplit(":", 1)[1]))
    request = post("/v1/signals", {"Content-Type": "application/json"}, b"{}")

    statuses = [wire.status(request) for _ in range(3)]
    assert wire._socket is not None
    wire._socket.shutdown(2)  # as a server that has waited long enough
    statuses.append(wire.status(request))
    wire.close()

    assert statuses == [401] * 4


def test_what_is_never_seen_is_not_waited_for_for_ever() -> None:
    with pytest.raises(NeverHappened, match="runs: 3 of 5"):
        wait_until(lambda: 3, 5, "runs", patience=0.1)


@pytest.mark.parametrize(("count", "share", "expected"), [(200, 0.99, 198), (2, 0.99, 2), (1, 0.5, 1), (4, 0.5, 2)])
def test_a_percentile_is_the_value_that_the_share_is_not_above(count: int, share: float, expected: int) -> None:
    assert percentile([float(i) for i in range(count, 0, -1)], share) == expected
