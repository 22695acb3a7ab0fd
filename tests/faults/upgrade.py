"""Old and new code side by side: a run of its own, in which the service is upgraded while its clients go on.

The code of before the newest migration serves; the migrations of today run under load, behind somebody who holds a
lock; new processes join the old ones on the same database, broker and port; then the old ones are asked to stop.
"""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from chimeway_py.demo import commands
from chimeway_py.demo.screen import say
from chimeway_py.demo.supervisor import Watched
from chimeway_py.embedded.processes import Child
from tests.faults.beginning import Beginning
from tests.faults.chaos import STOPS_WITHIN, Broken, Fault, World
from tests.faults.ground import RESTART_AFTER, Ground, end
from tests.faults.history import NoHistory, check_out, commit_before_last_migration
from tests.faults.plan import TENANTS, Length, Plan
from tests.faults.prove import Prover
from tests.faults.report import Report
from tests.faults.scripts import planned

LENGTH = Length(faults=0, pause=0, storm=0, storm_faults=0, drain=60.0, rates=(2.0, 6.0))
SECONDS = 36.0  # of traffic
BEGINS = 3.0  # seconds after the start of the traffic
LOCKED = 15.0  # seconds at most for which somebody holds the locks that migrations want: until they have given up twice
LOCK_TIMEOUT = 1.0  # seconds, as `migrate` has it by itself
GIVEN_UP = "tried 2 of"
TOGETHER = 4.0  # seconds in which old and new processes serve side by side, from when both have sent something
BOTH_WITHIN = 25.0
MIGRATES_WITHIN = 60.0
NEWER: dict[str, Any] = {"key": "newer", "steps": [{"key": "call", "kind": "newer"}]}
PARKED, PARKED_WITHIN = 3, 25.0  # runs that old workers do not understand, and seconds until all of them stand there
_SINCE = """
SELECT count(*) FROM workflows_attempt
 WHERE split_part(worker, ':', 2) = %s
   AND started_at >= (SELECT min(started_at) FROM workflows_attempt WHERE split_part(worker, ':', 2) = %s)
"""
_NEWER = "SELECT state, status_reason, count(*) FROM workflows_run WHERE definition_key = 'newer' GROUP BY 1, 2"
_TABLES = "SELECT c.oid::regclass::text FROM pg_class c WHERE relkind = 'r' AND relowner = 'chimeway_owner'::regrole"


@dataclass(slots=True)
class Upgraded:
    """What came of it: the report of its run, or why it could not be tried."""

    report: Report | None = None
    told: list[str] = field(default_factory=list)
    why_not: str = ""

    def put_into(self, report: Report) -> Report:
        """The report of another run, with what was told and found here."""
        if self.report is None:
            return replace(
                report, left_out=[*report.left_out, f"an upgrade with old and new code side by side: {self.why_not}"]
            )
        report.verdict.add(self.report.verdict, "upgrade")
        return replace(report, upgrade=self.told)


def plan_of(seed: str) -> Plan:
    """The same seed gives the same journeys."""
    upgrade = Broken("upgrade", BEGINS, alone=False)
    return Plan(seed, SECONDS, [upgrade], planned(f"upgrade-{seed}", SECONDS, TENANTS, LENGTH.rates))


def prove_upgrade(folder: Path, seed: str, began: Beginning) -> Upgraded:
    """Carry it out in a folder of its own, and judge. Raises DidNotStart."""
    folder.mkdir(mode=0o711)
    try:
        commit = commit_before_last_migration()
        old = check_out(commit, folder / "old")
    except NoHistory as error:
        return Upgraded(why_not=str(error))
    say(f"Upgrade under load: from {commit[:10]}, the code before the newest migration")
    ground = Ground(folder, [f"tenant-{number}" for number in range(TENANTS)], old)
    try:
        ground.start()
        upgrade = Upgrade()
        report = Prover(ground, plan_of(seed), LENGTH, began, {"upgrade": upgrade.carry_out}).run()
        upgrade.judge_newer(ground)
    finally:
        end(ground)
    report.verdict.violations += [*upgrade.wrong, *upgrade.refused(folder / "requests.jsonl")]
    told = [f"from {commit[:10]}; {report.operations} operations accepted", *upgrade.told]
    return Upgraded(replace(report, upgrade=told), told)


class Upgrade:
    """One upgrade in the middle of things."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.wrong: list[str] = []
        self.began = self.ended = 0.0  # of the migrations

    def carry_out(self, world: World) -> Fault:
        """Migrate, let new processes join, let the old ones go."""
        supervisor = world.ground.supervisor
        assert supervisor
        old, new = [*supervisor.watched], [*_new_processes(world.ground)]
        pids = {watched.child.name: watched.child.pid for watched in old}
        yield from self._migrate(world)
        for first in (True, False):  # the web server takes what the workers of before do not know yet
            started = [watched for watched in new if (watched.child.name == "new web") == first]
            for watched in started:
                watched.start(time.monotonic())
            supervisor.watched += started
            if first:
                yield from self._owe_what_is_newer(world.ground)
        world.count("new processes", len(new))
        pids |= {watched.child.name: watched.child.pid for watched in new}
        yield from self._work_together(world.ground, pids["work"], pids["new work"])
        gone = [one.child.name for one in (*old, *new) if one.child.pid != pids[one.child.name]]
        self.wrong += [f"{name} did not live through it" for name in gone]
        for watched in old:
            supervisor.watched.remove(watched)  # whoever ends now is not started again
        yield from self._let_go(world, [watched.child for watched in old])

    def _owe_what_is_newer(self, ground: Ground) -> Fault:
        """Runs with a step of a kind that only new code knows: old workers leave them alone."""
        calls, tenant, ends_at = ground.calls, ground.tenants[0], time.monotonic() + PARKED_WITHIN
        asked = [("definitions", NEWER), ("definitions/newer/versions/1/publish", None)]
        asked += [("runs", {"workflow": "newer", "subject": f"early-{number}"}) for number in range(PARKED)]
        for path, body in asked:
            while not calls.ask(tenant, "POST", path, body, str(uuid.uuid4())).accepted:  # the old one does not know it
                if time.monotonic() > ends_at:
                    self.wrong.append(f"no web server took {path} of a newer kind")
                    return
                yield 0.1
        while (found := self.newer(ground)) != {"active step_kind_unknown": PARKED}:
            if time.monotonic() > ends_at:
                self.wrong.append(f"runs of a kind that old code does not know are not parked: {found}")
                return
            yield 0.2

    def newer(self, ground: Ground) -> dict[str, int]:
        """How many runs of the newer kind stand where."""
        with ground.superuser() as database:
            return {f"{state} {reason}".strip(): number for state, reason, number in database.execute(_NEWER)}

    def _migrate(self, world: World) -> Fault:
        """As `docs/deploy.md` says, while somebody holds a lock for longer than a migration waits for its own."""
        ground = world.ground
        words = [sys.executable, "manage.py", "migrate", "--database", "owner", "--no-input"]
        words += ["--lock-timeout", str(LOCK_TIMEOUT)]
        env = {**ground.env, "DATABASE_URL": ground.postgres.url()}
        env["DATABASE_OWNER_URL"] = ground.postgres.url("chimeway_owner")
        with ground.superuser() as reader, (ground.logs / "migrate.log").open("w") as log:
            reader.execute("BEGIN")
            for (table,) in reader.execute(_TABLES).fetchall():  # whichever of them the migrations want
                reader.execute(f"LOCK TABLE {table} IN SHARE UPDATE EXCLUSIVE MODE")
            self.began = time.time()
            migrating = subprocess.Popen(words, env=env, cwd=commands.ROOT, stdout=log, stderr=subprocess.STDOUT)
            while migrating.poll() is None and time.time() < self.began + LOCKED and GIVEN_UP not in _said(ground):
                yield 0.1
            reader.execute("COMMIT")
            while migrating.poll() is None and time.time() < self.began + MIGRATES_WITHIN:
                yield 0.1
            self.ended = time.time()
            migrating.kill()
        said = _said(ground)
        world.count("migrations", said.count("... OK"))
        if migrating.wait():
            self.wrong.append(f"the migrations did not end well: {said[-600:]}")
        self.told.append(
            f"{said.count('... OK')} migrations under load in {self.ended - self.began:.1f} s; "
            f"a lock was given up and asked for again {said.count('tried')} times"
        )

    def _work_together(self, ground: Ground, old: int, new: int) -> Fault:
        """Until both have sent something at the same time; an upgrade in which one stands by would show nothing."""
        began, both_at, by_old, by_new = time.monotonic(), 0.0, 0, 0
        with ground.superuser() as database:
            while time.monotonic() < (both_at + TOGETHER if both_at else began + BOTH_WITHIN):
                yield 0.5
                asked = [database.execute(_SINCE, [str(pid), str(new)]).fetchone() for pid in (old, new)]
                by_old, by_new = (row[0] if row else 0 for row in asked)
                both_at = both_at or (time.monotonic() if by_old and by_new else 0.0)
        self.told.append(f"side by side: {by_old} messages sent by old code, {by_new} by new code")
        if not (by_old and by_new):
            self.wrong.append("old and new code did not work at the same time")

    def judge_newer(self, ground: Ground) -> None:
        """In the end, with new code alone, every one of them was done."""
        found = {state.partition(" ")[0]: number for state, number in self.newer(ground).items()}
        self.told.append(f"{PARKED} runs of a kind that old code does not know: parked, and then {found}")
        if found != {"completed": PARKED}:
            self.wrong.append(f"runs of a newer kind were parked and are not done: {found}")

    def _let_go(self, world: World, old: Sequence[Child]) -> Fault:
        began = time.monotonic()
        for child in old:
            child.ask_to_stop()
        while (left := [child.name for child in old if child.is_running]) and time.monotonic() - began < STOPS_WITHIN:
            yield 0.1
        world.count("graceful stops", len(old) - len(left))
        self.told.append(f"{len(old)} old processes stopped gracefully in {time.monotonic() - began:.1f} s")
        if left:
            self.wrong.append(f"old processes were asked to stop, and still there after {STOPS_WITHIN:g} s: {left}")
        for child in old:
            child.kill()

    def refused(self, requests: Path) -> Iterator[str]:
        """Answers with 5xx while the migrations ran: nobody may notice them."""
        lines = [json.loads(line) for line in requests.read_text().splitlines()]
        during = [line for line in lines if self.began <= line["at"] <= self.ended]
        bad = [line for line in during if line["status"] >= 500]
        self.told.append(f"{len(during)} requests answered while the migrations ran, {len(bad)} of them with 5xx")
        if not during:
            yield "no request came while the migrations ran"
        yield from (f"{line['method']} {line['path']} answered {line['status']} meanwhile" for line in bad)


def _said(ground: Ground) -> str:
    """What the migrations have told until now."""
    return (ground.logs / "migrate.log").read_text()


def _new_processes(ground: Ground) -> Iterator[Watched]:
    """Today's processes, not yet started, on the port of the old ones."""
    logs = ground.logs / "new"
    logs.mkdir()
    env = {**ground.env, "CHANNEL_MODULES": "tests.faults.newer"}
    for child in commands.service(env, logs, ground.calls.port, ground.listener):
        child.name = f"new {child.name}"
        yield Watched(child, longest_pause=RESTART_AFTER)
