"""What the machine can do at best, measured beside the service: syncs of the disk, and PostgreSQL with fewest rows."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from chimeway_py.embedded.memory import LOOPBACK
from chimeway_py.embedded.postgres import DATABASE, SUPERUSER, Postgres
from chimeway_py.embedded.postgres_files import candidates

SCRIPTS = Path(__file__).with_name("pgbench")
BLOCK = b"\0" * 8192
BATCH = 100


def limits(postgres: Postgres, *, seconds: float, rows: int) -> dict[str, Any]:
    """The rates of this machine now. The ones of `pgbench` are missing where there is no such program."""
    found: dict[str, Any] = {"fdatasync_per_s": syncs_per_second(postgres.folder, seconds)}
    program = pgbench_program()
    if program is not None:
        bench = Pgbench(program, postgres, rows)
        found["pgbench_resume_1_client_per_s"] = bench.one_by_one(1, seconds)
        found["pgbench_resume_4_clients_per_s"] = bench.one_by_one(4, seconds)
        found["pgbench_resume_16_clients_per_s"] = bench.one_by_one(16, seconds)
        found["pgbench_resume_by_100_per_s"] = bench.by_batches(2)
        bench.clear()
    return found


def syncs_per_second(folder: Path, seconds: float) -> int:
    """How often 8 kB can be written and brought to the disk, one after the other."""
    path = folder / "sync.probe"
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        began = now = time.perf_counter()
        done = 0
        while now - began < seconds:
            os.pwrite(file, BLOCK, 0)
            os.fdatasync(file)
            done, now = done + 1, time.perf_counter()
    finally:
        os.close(file)
        path.unlink()
    return round(done / (now - began))


def pgbench_program() -> Path | None:
    """PostgreSQL's own benchmark: from where the server is, else from the path."""
    beside = (folder / "pgbench" for folder in candidates())
    on_path = shutil.which("pgbench")
    return next((path for path in beside if path.exists()), Path(on_path) if on_path else None)


class Pgbench:
    """Runs resumed by `pgbench`: no definitions, no tenants' security, no verdicts, no Python."""

    def __init__(self, program: Path, postgres: Postgres, rows: int) -> None:
        self.program, self.postgres, self.rows = program, postgres, rows

    def one_by_one(self, clients: int, seconds: float) -> int:
        """Resumed a second, each in a commit of its own."""
        return round(self._rate("resume.sql", clients, ["-T", str(max(1, round(seconds)))]))

    def by_batches(self, clients: int) -> int:
        """Resumed a second, a hundred in each commit."""
        turns = max(1, self.rows // BATCH // clients)
        return round(self._rate("resume_batch.sql", clients, ["-t", str(turns)]) * BATCH)

    def clear(self) -> None:
        """Remove the tables."""
        with self.postgres.connect() as connection:
            connection.execute("DROP TABLE IF EXISTS limit_run, limit_transition")

    def _rate(self, script: str, clients: int, length: list[str]) -> float:
        self._fill()
        share = self.rows // clients
        command = [
            str(self.program),
            "-n",
            "-M",
            "prepared",
            "-f",
            str(SCRIPTS / script),
            "-c",
            str(clients),
            "-j",
            "1",
        ]
        command += ["-D", "next=0", "-D", f"share={share}", *length, *self._address()]
        told = subprocess.run(command, env=self._env(), capture_output=True, text=True, check=True).stdout
        found = re.search(r"^tps = ([0-9.]+)", told, re.MULTILINE)
        return float(found.group(1)) if found else 0.0

    def _fill(self) -> None:
        with self.postgres.connect() as connection:
            for statement in (SCRIPTS / "schema.sql").read_text().replace(":rows", str(self.rows)).split(";"):
                if statement.strip():
                    connection.execute(statement.encode())

    def _address(self) -> list[str]:
        return ["-h", LOOPBACK, "-p", str(self.postgres.port), "-U", SUPERUSER, DATABASE]

    def _env(self) -> dict[str, str]:
        return {**os.environ, "PGPASSWORD": self.postgres.memory.password(SUPERUSER)}
