"""One run: start the ground, drive and break, let it come to rest, judge."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from chimeway_py.demo.screen import say
from tests.faults.beginning import TIMES, Beginning
from tests.faults.calls import Tenant
from tests.faults.capacity import Callers
from tests.faults.chaos import KINDS, Broken, Fault, World
from tests.faults.checker import TELL, Arrived, Verdict, check
from tests.faults.crowds import turned_away
from tests.faults.definitions import DEFINITIONS, MAPPING
from tests.faults.drive import Drivers
from tests.faults.facts import Facts, Item, numbers, read_facts
from tests.faults.ground import Ground
from tests.faults.patience import hung
from tests.faults.plan import Length, Plan
from tests.faults.recovery import recoveries, too_slow, untried
from tests.faults.report import Report
from tests.faults.throughput import Throughput

LOOK_EVERY = 0.05  # seconds
TELL_EVERY = 10.0


class Prover:
    """A run in the middle of things."""

    def __init__(
        self,
        ground: Ground,
        plan: Plan,
        length: Length,
        began: Beginning,
        kinds: Mapping[str, Callable[[World], Fault]] = KINDS,
    ) -> None:
        self.ground, self.plan, self.length, self.began, self.kinds = ground, plan, length, began, kinds
        self.kills: Counter[str] = Counter()
        self.notes: list[str] = []
        self.found = Verdict()  # before anything is judged
        self.throughput = Throughput(ground, Callers(ground, plan.seed, len(plan.journeys)), plan.seed, kinds)
        self._told = 0.0

    def run(self) -> Report:
        """All of it, and what came of it."""
        self._set_up_tenants()
        drivers = Drivers(self.plan.journeys, self.ground.calls, self.ground.tenants)
        drivers.start()
        self._break_things(drivers)
        self._keep_heads()  # while clients and workers go on
        say("Mended everything; waiting until it has come to rest")
        self._rest(lambda: drivers.done == drivers.total)
        if self.plan.at_capacity:
            self._measure()
        return self._judge()

    # -- before --------------------------------------------------------------------------------------------------------

    def _set_up_tenants(self) -> None:
        say("Publishing definitions, endpoints and sources")
        for tenant in self.ground.tenants:
            self._set_up(tenant)

    def _set_up(self, tenant: Tenant) -> None:
        calls, port = self.ground.calls, self.ground.provider.port
        for key, path in (("pager", "ok"), ("flaky", "flaky")):
            calls.insist(tenant, "PUT", f"endpoints/{key}", {"url": f"http://127.0.0.1:{port}/{path}/{tenant.slug}"})
        for document in DEFINITIONS:
            saved = calls.insist(tenant, "POST", "definitions", document)
            if not saved.accepted:
                raise ValueError(f"{document['key']} was not taken: {saved.body}")
            calls.insist(tenant, "POST", f"definitions/{document['key']}/versions/{saved.body['version']}/publish")
        source = {"key": "shop", "scheme": "standard_webhooks", "mapping": MAPPING}
        made = calls.insist(tenant, "POST", "sources", source).body
        tenant.source, tenant.secret = made["id"], made["secret"]

    # -- the traffic and the faults ------------------------------------------------------------------------------------

    def _break_things(self, drivers: Drivers) -> None:
        """Carry out the faults at their times, several at once where they overlap, and keep the processes alive."""
        waiting = list(self.plan.faults)
        going: list[tuple[float, Fault, Broken]] = []
        while time.monotonic() < drivers.began + self.plan.seconds or waiting or going:
            self._look()
            now = time.monotonic() - drivers.began
            while waiting and waiting[0].at <= now:
                broken = waiting.pop(0)
                broken.began = time.time()
                going.append((now, self._fault(broken), broken))
                self._tell(f"{now:5.0f} s  {broken.kind.replace('_', ' ')}")
            going = [kept for one in going if (kept := self._go_on(*one, now)) is not None]
            if now - self._told > TELL_EVERY:
                self._told = now
                self._tell(f"{now:5.0f} s  {drivers.done} of {drivers.total} journeys driven")

    def _fault(self, broken: Broken) -> Fault:
        dice = random.Random(f"{self.plan.seed} {broken.kind} {broken.at}")
        world = World(self.ground, dice, broken, self.length.many)
        fault = self.kinds[broken.kind](world)
        try:
            yield from fault
        finally:
            self.kills.update(world.kills)
            if broken.note:
                self.notes.append(f"{broken.kind}: {broken.note}")

    def _go_on(self, due: float, fault: Fault, broken: Broken, now: float) -> tuple[float, Fault, Broken] | None:
        if now < due:
            return due, fault, broken
        try:
            return now + next(fault), fault, broken
        except StopIteration:
            broken.mended = time.time()
            return None

    def _measure(self) -> None:
        """Throughput at capacity, when everything else is over."""
        callers = self.throughput.callers
        self.ground.calls.deadline = float("inf")
        for pause in self.throughput.carry_out(self.plan.at_capacity, self._tell):
            ends_at = time.monotonic() + pause
            while time.monotonic() < ends_at:
                self._look()
        callers.stop()
        self._rest(lambda: callers.are_done)

    def _keep_heads(self) -> None:
        say("Signing the heads of all traces, and keeping them")
        if (done := self.ground.heads("keep")).returncode:
            self.found.violations.append(f"heads could not be signed: {done.stderr[-2000:]}")

    # -- after ---------------------------------------------------------------------------------------------------------

    def _rest(self, is_driven: Callable[[], bool]) -> None:
        """Until every journey was driven and nothing is under way any more, or the time for that is over."""
        ends_at = self.ground.calls.deadline = time.monotonic() + self.length.drain
        while time.monotonic() < ends_at:
            for _ in range(10):
                self._look()
            if is_driven() and self._at_rest():
                return
        self.found.stuck.append(f"it had not come to rest after {self.length.drain:.0f} s")

    def _at_rest(self) -> bool:
        with self.ground.superuser() as database:
            left = database.execute(
                "SELECT count(*) FROM workflows_run WHERE finished_at IS NULL AND status_reason <> 'unknown_outcome'"
            ).fetchone()
            running = database.execute("SELECT count(*) FROM workflows_steprun WHERE status = 'running'").fetchone()
            return left == (0,) and running == (0,) and not any(numbers(database).values())

    def _judge(self) -> Report:
        self._keep_heads()
        say("Judging")
        journeys = [*self.plan.journeys, *self.throughput.callers.journeys]
        faults = [*self.plan.faults, *self.throughput.faults]
        with self.ground.superuser() as database:
            facts = read_facts(database)
        verdict = check(journeys, facts, self._arrived(facts), self.found)
        verdict.violations += self.ground.calls.faults
        verdict.violations += [f"{one.kind}: {one.fault}" for one in faults if one.fault]
        self._verify(verdict)
        self.notes += turned_away(self.plan.journeys)
        lines = recoveries(self.plan.faults, facts.runs)
        busy = self.began.busy
        verdict.untried += [*untried(faults, lines, busy=busy), *self.throughput.untried()]
        if not busy:
            verdict.violations += [f"{one.kind}: moved again after {one.longest:.1f} s" for one in lines if one.late]
            verdict.violations += self.throughput.wrong()
            verdict.violations += hung(self.ground.calls.slow, faults)
        self.notes.append(f"503 after at most {self.ground.calls.longest_refusal:.1f} s")
        return Report(
            seed=self.plan.seed,
            operations=sum(len(journey.accepted) for journey in journeys),
            statuses=self.ground.calls.statuses,
            kills=self.kills + self.throughput.kills,
            happened=Counter(one.kind for one in faults if one.happened),
            recoveries=lines,
            throughput=list(self.throughput.lines()),
            verdict=verdict,
            notes=[*self.notes, *self._told_by(facts)],
            seconds=self.began.seconds,
            load=self.began.load,
            left_out=[TIMES, *too_slow(faults)] if busy else [],
        )

    def _arrived(self, facts: Facts) -> Arrived:
        mails = Counter(str(mail["Message-ID"]).strip("<>").partition("@")[0] for mail in self.ground.mailbox.all())
        told = {send.item[0] for send in facts.sends if send.step == TELL} | {run for run, _ in facts.items}
        inboxes = {(run.tenant, run.subject) for run in facts.runs if run.public_id in told}
        return Arrived(self.ground.provider.taken(), mails, Counter(self._shown(inboxes)), self.ground.provider.first())

    def _shown(self, inboxes: Iterable[tuple[str, str]]) -> Iterator[Item]:
        """What REST shows of these inboxes, each of which has room on one page."""
        tenants = {tenant.slug: tenant for tenant in self.ground.tenants}
        for slug, subject in sorted(inboxes):
            shown = self.ground.calls.insist(tenants[slug], "GET", f"inbox/{subject}?show=all")
            yield from ((item["run_id"], item["step"]) for item in shown.body["items"])

    def _verify(self, verdict: Verdict) -> None:
        """The service's own proofs: chains, and folds against what is stored."""
        tenants = [word for tenant in self.ground.tenants for word in ("--tenant", tenant.slug)]
        for command in (["verify_trace", "--verbosity", "0"], ["rebuild", "--check", "--verbosity", "0", *tenants]):
            done = self.ground.manage(*command)
            if done.returncode:
                verdict.violations.append(f"{command[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
            else:
                self.notes += done.stdout.strip().splitlines()
        done = self.ground.heads("check")
        self.notes += done.stdout.strip().splitlines()
        verdict.violations += [f"heads: {line}" for line in done.stderr.splitlines() if done.returncode]

    def _told_by(self, facts: Facts) -> list[str]:
        states = Counter(run.state for run in facts.runs)
        attempts = Counter(attempt[0] for send in facts.sends for attempt in send.attempts)
        return [
            f"{len(facts.runs)} runs: {_words(states)}",
            f"{len(facts.signals)} signals: {_words(Counter(signal.verdict for signal in facts.signals))}",
            f"{sum(attempts.values())} attempts: {_words(attempts)}",
        ]

    def _look(self) -> None:
        assert self.ground.supervisor
        self.ground.supervisor.look()
        time.sleep(LOOK_EVERY)

    def _tell(self, text: str) -> None:
        say(text)


def _words(counted: Counter[str]) -> str:
    return ", ".join(f"{number} {word or 'none'}" for word, number in counted.most_common())
