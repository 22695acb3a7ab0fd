"""Other products with the same workload, in turn with ours on the same servers, so that both meet the same noise.

The scripts are not part of this project. `--peers` names a folder of them: `peer_NAME.py` reads N, REPS, LAT, SETTLE,
PGHOST, PGPORT, PGUSER and BENCH_REDIS, and writes one JSON object for each repeat.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.report import Check, Report, Row, say, shown, table
from benchmarks.stand import Stand
from chimeway_py.embedded.memory import LOOPBACK
from chimeway_py.embedded.postgres import SUPERUSER

PATIENCE = 420
FIGURES = ("park_per_s", "resume_per_s", "lat_p50_ms", "lat_p99_ms")


class NoSuchPeer(Exception):
    """There is no script of this name in the folder."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which peers, and where they are."""
    group = parser.add_argument_group("peers, measured in turn with ours")
    group.add_argument(
        "--vs",
        action="append",
        default=[],
        metavar="PEER",
        help='a script of the folder, as on a command line: absurd, "POLL=0.01 absurd", "dbos sync"; may be repeated',
    )
    group.add_argument("--peers", type=Path, default=_from("BENCH_PEERS"), help="their folder (or BENCH_PEERS)")
    group.add_argument(
        "--peer-python", default=_from("BENCH_PEER_PYTHON") or sys.executable, help="a Python that has their packages"
    )


def check_arguments(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Complain at once, before anything is started."""
    try:
        for spec in getattr(options, "vs", []):
            Peer.of(spec, options.peers)
    except NoSuchPeer as error:
        parser.error(str(error))


@dataclass(frozen=True, slots=True)
class Peer:
    """One script and how it is called."""

    name: str
    script: Path
    env: Mapping[str, str]
    arguments: Sequence[str]

    @classmethod
    def of(cls, spec: str, folder: Path | None) -> "Peer":
        """From "KEY=value name argument". Raises NoSuchPeer."""
        words = shlex.split(spec)
        env: dict[str, str] = {}
        while words and "=" in words[0]:
            key, value = words.pop(0).split("=", 1)
            env[key] = value
        if folder is None or not words:
            raise NoSuchPeer("--vs needs a peer, and --peers or BENCH_PEERS the folder of its script")
        for path in (folder / f"peer_{words[0]}.py", folder / f"{words[0]}.py"):
            if path.is_file():
                return cls(spec, path.absolute(), env, words[1:])
        raise NoSuchPeer(f"{folder} holds neither peer_{words[0]}.py nor {words[0]}.py")


def round_of_peers(
    stand: Stand, options: argparse.Namespace, number: int, ours: Sequence[Row], report: Report
) -> list[dict[str, Any]]:
    """One row for each peer, with the ratio of ours to it told at once."""
    rows = []
    for spec in options.vs:
        peer = Peer.of(spec, options.peers)
        found, error = measure(stand, options, peer)
        if found is None:
            report.checks.append(Check(f"{peer.name} in round {number}", False, error))
            continue
        row = {"what": peer.name, "round": number, **found}
        rows.append(row)
        say(f"Round {number}, {peer.name}: " + ", ".join(f"{name} {shown(row[name])}" for name in FIGURES))
    if rows:
        title, told = f"Round {number}: ours to each peer", ratios(ours, rows)
        report.tables[title] = list(told)
        say(f"{title}\n{table(told)}")
    return rows


def ratios(ours: Sequence[Row], theirs: Sequence[Row]) -> list[dict[str, Any]]:
    """For each of our rows and each peer: how many times its rate ours is, and its latency in ours."""
    return [
        {
            "ours": mine["what"],
            "to": row["what"],
            "parked": f"{mine['park_per_s'] / row['park_per_s']:.1f} ×",
            "completed": f"{mine['resume_per_s'] / row['resume_per_s']:.1f} ×",
            "p50_ms": f"{mine['lat_p50_ms']} to {row['lat_p50_ms']}",
            "p99_ms": f"{mine['lat_p99_ms']} to {row['lat_p99_ms']}",
        }
        for mine in ours
        for row in theirs
    ]


def measure(stand: Stand, options: argparse.Namespace, peer: Peer) -> tuple[dict[str, Any] | None, str]:
    """One repeat of the peer's script; its figures under our names, or why there are none."""
    _count_syncs_as_before(stand)
    command = [options.peer_python, str(peer.script), *peer.arguments]
    env = {**stand.outside, **_addresses(stand), **_sizes(options), **peer.env}
    try:
        done = subprocess.run(
            command, env=env, cwd=peer.script.parent, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        return None, f"no end after {PATIENCE} s"
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{") and "SUMMARY" not in line]
    if done.returncode or not lines:
        return None, f"exit {done.returncode}: {done.stderr.strip()[-500:]}"
    return _ours_named(lines[0]), ""


def _ours_named(found: Mapping[str, Any]) -> dict[str, Any]:
    names = ("n", "park_per_s", "submit_per_s", "resume_per_s", "send_per_s", "lat_p50_ms", "lat_p99_ms")
    row: dict[str, Any] = {"runs" if name == "n" else name: found[name] for name in names}
    for phase in ("park", "resume"):
        cpu = dict(found[f"cpu_ms_per_run_{phase}"])
        row[f"{phase}_cpu_ms"] = {"postgres" if part == "pg" else part: value for part, value in cpu.items()}
        row[f"{phase}_commits"] = found.get(f"commits_per_run_{phase}")
    return {**row, "mem_idle_mb": {"all": found["mem_idle_mb"]}, "mem_parked_mb": {"all": found["mem_parked_mb"]}}


def _addresses(stand: Stand) -> dict[str, str]:
    scratch = stand.logs / "peers"
    scratch.mkdir(exist_ok=True)
    return {
        "PGHOST": LOOPBACK,
        "PGPORT": str(stand.postgres.port),
        "PGUSER": SUPERUSER,
        "PGPASSWORD": stand.postgres.memory.password(SUPERUSER),
        "BENCH_REDIS": stand.broker.url.removesuffix("/0") + "/1",
        "BENCH_TMP": str(scratch),
    }


def _sizes(options: argparse.Namespace) -> dict[str, str]:
    sizes = {"N": options.runs, "LAT": options.latency, "SETTLE": options.settle, "CLIENT_THREADS": options.threads}
    return {"REPS": "1", "PYTHONDONTWRITEBYTECODE": "1", **{name: str(size) for name, size in sizes.items()}}


def _count_syncs_as_before(stand: Stand) -> None:
    """PostgreSQL 18 counts syncs elsewhere; scripts written for older ones find the number where they look."""
    with stand.postgres.connect(database="postgres") as connection:
        if connection.info.server_version >= 180000:
            connection.execute(
                "CREATE OR REPLACE VIEW public.pg_stat_wal AS SELECT w.*, (SELECT sum(fsyncs)::bigint FROM pg_stat_io "
                "WHERE object = 'wal') AS wal_sync FROM pg_catalog.pg_stat_wal w"
            )
            connection.execute("ALTER DATABASE postgres SET search_path = public, pg_catalog")


def _from(name: str) -> Any:
    value = os.environ.get(name)
    return Path(value) if value and name == "BENCH_PEERS" else value
