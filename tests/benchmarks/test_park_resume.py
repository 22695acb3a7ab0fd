"""The workload of the peers at the smallest size, and its checks, which fail when something is lost."""

import pytest

from benchmarks.park_resume import against_limits
from benchmarks.report import Report, flattened
from tests.benchmarks.conftest import Measure

SMALL = ["--runs", "20", "--batch", "7", "--latency", "3", "--settle", "0", "--limit-seconds", "0.1"]


@pytest.fixture(scope="module")
def report(measure: Measure) -> Report:
    return measure("park_resume", *SMALL)


def test_every_figure_is_there_for_both_ways_to_send(report: Report) -> None:
    assert [row["what"] for row in report.rows] == ["ours, batch", "ours, single"]
    for row in report.rows:
        figures = flattened(row)
        assert [name for name in ("park_per_s", "resume_per_s", "lat_p50_ms") if figures[name] <= 0] == []
        assert {"park_cpu_ms_workers", "resume_cpu_ms_postgres", "resume_cpu_ms_client"} <= figures.keys()
        assert figures["mem_parked_mb_engine"] > 20


def test_single_calls_commit_at_least_once_for_each_run(report: Report) -> None:
    single = report.rows[1]

    assert min(single["park_write_transactions"], single["resume_write_transactions"]) >= 1


def test_the_limits_of_the_machine_stand_beside(report: Report) -> None:
    assert report.limits["fdatasync_per_s"] > 0
    assert [name for name, rate in report.limits.items() if rate <= 0] == []


def test_our_rates_are_told_in_parts_of_what_the_machine_can_do() -> None:
    summary = [{"what": "ours, batch", "resume_per_s": 50}, {"what": "ours, single", "resume_per_s": 10}]
    limits = {"pgbench_resume_by_100_per_s": 1000, "pgbench_resume_4_clients_per_s": 40}

    (rows,) = against_limits(summary, limits).values()

    assert [(row["what"], row["percent"]) for row in rows] == [("ours, batch", 5.0), ("ours, single", 25.0)]
    assert against_limits(summary, {}) == {}


def test_nothing_was_lost(report: Report) -> None:
    assert [check for check in report.checks if not check.holds] == []
    assert len(report.checks) == 4


def test_the_table_and_the_json_tell_the_same(report: Report, tmp_path) -> None:  # type: ignore[no-untyped-def]
    report.write(tmp_path / "report.json")

    text = (tmp_path / "report.json").read_text()
    assert '"holds": true' in text
    assert "resume per s" in report.text()


def test_a_report_without_checks_does_not_hold() -> None:
    assert not Report("none", {}).holds
