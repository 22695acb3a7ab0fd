"""The command line: one benchmark from end to end on servers of its own, with a peer in turn."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import NAMES, parse
from benchmarks.peers import NoSuchPeer, Peer
from benchmarks.stand import OwnStand
from chimeway_py.embedded.postgres import Postgres
from chimeway_py.embedded.processes import DidNotStart

ROOT = Path(__file__).resolve().parents[2]
PEER = """
import json, os, psycopg, redis
port, user = os.environ["PGPORT"], os.environ["PGUSER"]
with psycopg.connect(f"postgresql://{user}@{os.environ['PGHOST']}:{port}/postgres") as connection:
    connection.execute("SELECT wal_sync FROM pg_stat_wal").fetchone()
redis.Redis.from_url(os.environ["BENCH_REDIS"]).ping()
n = int(os.environ["N"])
cpu = {"workers": 1.5, "client": 0.1, "pg": 0.2, "machine": 2.0}
print("starting")
rates = {"park_per_s": 2, "submit_per_s": 9, "resume_per_s": float(os.environ["RATE"]), "send_per_s": 9}
print(json.dumps({"n": n, **rates,
  "lat_p50_ms": 3.0, "lat_p99_ms": 7.0, "mem_idle_mb": 1, "mem_parked_mb": 2, "cpu_ms_per_run_park": cpu,
  "cpu_ms_per_run_resume": cpu}))
print(json.dumps({"SUMMARY": "median"}))
"""
SMALL = ["--runs", "10", "--latency", "2", "--settle", "0", "--limit-seconds", "0", "--modes", "batch"]


def bench(*arguments: str) -> "subprocess.CompletedProcess[str]":
    servers = ("DATABASE_URL", "DATABASE_OWNER_URL", "BROKER_URL", "EMAIL_URL")
    env = {name: value for name, value in os.environ.items() if name not in servers}
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=170)


def test_a_benchmark_prints_progress_a_table_and_json_beside_a_peer(tmp_path: Path) -> None:
    (tmp_path / "peer_slow.py").write_text(PEER)
    (tmp_path / "peer_ill.py").write_text("raise SystemExit('no database')")
    out = tmp_path / "out.json"

    done = bench(
        *("park_resume", "--quick", *SMALL, "--json", str(out), "--peers", str(tmp_path)),
        *("--vs", "RATE=2 slow", "--vs", "ill", "--folder", os.environ.get("TMPDIR", "/tmp")),  # noqa: S108
    )

    report = json.loads(out.read_text())
    ours, peer = report["rows"]
    assert peer["resume_cpu_ms"]["postgres"] == 0.2
    assert f"{ours['resume_per_s'] / 2:.1f} ×" in done.stdout
    assert "Starting PostgreSQL" in done.stderr
    assert "completed/s" in done.stderr
    failed = [check for check in report["checks"] if not check["holds"]]
    assert [check["what"] for check in failed] == ["ill in round 1"]
    assert "no database" in failed[0]["found"]
    assert done.returncode == 1  # a peer that could not be measured is not passed over


def test_a_peer_is_named_as_on_a_command_line(tmp_path: Path) -> None:
    (tmp_path / "peer_fast.py").write_text("")

    peer = Peer.of('POLL=0.01 NAME="a b" fast sync', tmp_path)

    assert (peer.script, peer.env, peer.arguments) == (
        tmp_path / "peer_fast.py",
        {"POLL": "0.01", "NAME": "a b"},
        ["sync"],
    )


@pytest.mark.parametrize(("spec", "has_folder"), [("other", True), ("fast", False), ("", True)])
def test_a_peer_that_is_not_there_is_refused_at_once(tmp_path: Path, spec: str, has_folder: bool) -> None:
    with pytest.raises(NoSuchPeer):
        Peer.of(spec, tmp_path if has_folder else None)


def test_a_stand_that_cannot_be_made_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []

    def fail(postgres: Postgres) -> None:
        made.append(postgres.folder)
        raise DidNotStart("no")

    monkeypatch.setattr(Postgres, "start", fail)

    with pytest.raises(DidNotStart):
        OwnStand(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert not made[0].exists()


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_has_help_and_smaller_sizes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    usual, quick = vars(parse([name])[1]), vars(parse([name, "--quick"])[1])
    with pytest.raises(SystemExit) as ended:
        parse([name, "--help"])

    assert ended.value.code == 0
    assert "--json" in capsys.readouterr().out
    assert any(quick[key] < usual[key] for key in usual if isinstance(usual[key], int) and key != "quick")
    assert parse([name, "--quick", "--json", "x"])[1].json == Path("x")
