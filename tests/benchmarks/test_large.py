"""The benchmarks with very many runs, with few."""

from benchmarks.explain import Counted
from benchmarks.growth import compared
from benchmarks.report import Report
from benchmarks.stored import ENGINE_TABLES
from tenants.scope import database_now
from tests.benchmarks.conftest import Measure


def test_a_broadcast_starts_every_target_while_others_are_watched(measure: Measure) -> None:
    report = measure("broadcast", *["--targets", "60", "--others", "2", "--rate", "4", "--seconds", "1"])

    assert _failed(report) == []
    before, during, upload, broadcast = report.rows
    assert before["signals"] > 0
    assert during["what"] == "others during"
    assert upload["seconds"] >= 0
    assert broadcast["parked_s"] >= broadcast["seconds"] > 0


def _failed(report: Report) -> list[str]:
    return [f"{check.what} {check.found}" for check in report.checks if not check.holds]


def test_growth_measures_each_size_among_its_transitions(measure: Measure) -> None:
    report = measure(
        "growth", *["--sizes", "30", "60", "--runs", "10", "--latency", "2", "--settle", "0", "--modes", "batch"]
    )

    assert _failed(report) == []
    assert [row["waiting"] for row in report.rows] == [30, 60]
    assert all(row["transitions"] > row["waiting"] * 10 - 10 for row in report.rows)
    assert report.summary[0]["completed_times"] == 1
    for row in report.rows:  # where PostgreSQL has pg_walinspect, as the one that comes with the tests
        assert row["park_wal_image_bytes"] >= 0 < row["park_wal_rest_bytes"]
    assert report.summary[1]["resume_wal_rest_times"] > 0
    small, large = report.tables.values()
    assert [row["table"] for row in small] == [*ENGINE_TABLES, "all"]
    assert large[-1]["bytes_per_run"] > 100


def test_a_size_is_compared_with_the_smallest() -> None:
    cpu = {"workers": 1.0, "machine": 9.0}
    first = {"what": "ours", "waiting": 10, "park_per_s": 100, "resume_per_s": 300, "lat_p50_ms": 4.0}
    first |= {"park_cpu_ms": cpu, "resume_cpu_ms": cpu}
    second = {**first, "waiting": 99, "resume_per_s": 200, "resume_cpu_ms": {"workers": 2.0, "machine": 90.0}}
    first |= {"park_wal_bytes": 1000, "park_wal_rest_bytes": 800}
    second |= {"park_wal_bytes": 2500, "park_wal_rest_bytes": 880}

    (_, told) = compared([first, second])

    assert (told["park_wal_times"], told["park_wal_rest_times"]) == (2.5, 1.1)
    assert (told["waiting"], told["completed_times"], told["cpu_resume_times"], told["parked_times"]) == (99, 1.5, 2, 1)


def test_explain_counts_statements_among_many_runs(measure: Measure) -> None:
    report = measure("explain", "--runs", "40", "--samples", "5")

    assert _failed(report) == []
    assert [row["what"] for row in report.rows] == ["waiting", "completed"]
    assert all(1 <= row["most_statements"] <= 4 for row in report.rows)


def test_statements_are_counted_at_the_driver() -> None:
    with (counted := Counted()):
        database_now()
        database_now()
    database_now()

    assert counted.statements == 2


def test_fanout_completes_every_run_while_others_are_watched(measure: Measure) -> None:
    report = measure("fanout", *["--runs", "60", "--others", "2", "--rate", "4", "--seconds", "1"])

    assert _failed(report) == []
    before, during, fanout = report.rows
    assert before["signals"] > 0
    assert during["what"] == "others during"
    assert fanout["seconds"] > 0
    assert fanout["mem_idle_mb"].keys() == fanout["mem_after_mb"].keys() == {"engine", "work", "sweeper"}
    assert fanout["mem_most_mb"]["engine"] > 20


def test_pruning_is_measured_with_what_stays(measure: Measure) -> None:
    report = measure("prune", "--runs", "40", "--settle", "0", "--verify", "5")

    assert _failed(report) == []
    assert [(row["what"], row["pruned"]) for row in report.rows] == [("completed", 40), ("signals", 40)]
    assert all(row["per_s"] > 0 and row["wal_bytes"] > 0 for row in report.rows)
    assert list(report.tables) == ["Stored before", "Stored after pruning", "Stored after VACUUM"]


def test_one_table_and_its_months_hold_the_same_and_are_compared(measure: Measure) -> None:
    report = measure("partitions", *["--lines", "2400", "--samples", "20", "--inserts", "2"])

    assert _failed(report) == []
    plain, cut, times = report.rows
    assert times["trace_blocks"] == round(cut["trace_blocks"] / plain["trace_blocks"], 3)
    assert cut["end_wal_bytes"] > 0
