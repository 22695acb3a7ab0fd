"""One tenant of the model: its runs, signals and external work, the work that they owe, and who does it."""

from dataclasses import dataclass
from typing import Any

from tests.model.budgets import Budgets
from tests.model.collecting import Digests
from tests.model.shadow import Raw, Shadow, Signal, Time, Work, later

LEASE = 10  # minutes
MOST_LOST = 2  # workers that one piece of work may take down
_TOOK = ("delivered", "succeeded", "suppressed", "passed", "sent_first")
DONE = dict.fromkeys(_TOOK, "succeeded") | {"unknown": "unknown"}


@dataclass
class Job:
    """External work as it is mirrored."""

    status: str = "expected"
    owner: Shadow | None = None
    work: Work | None = None
    answer: Any = None


class World:
    """One tenant: its runs, signals, external work, and the switch of its definition."""

    def __init__(self) -> None:
        self.runs: list[Shadow] = []
        self.signals: list[Signal] = []
        self.jobs: dict[str, Job] = {}
        self.owed: list[tuple[Shadow, Raw, int]] = []
        self.sticky: set[str] = set()
        self.budgets, self.digests, self.abandoned = Budgets(), Digests(), list[Work]()
        self.level, self.now = "on", (0, 0)

    def route(self) -> None:
        fresh = [signal for signal in self.signals if not signal.routed]
        meant = [(signal, [run for run in self.runs if not run.ended and run.could_mean(signal)]) for signal in fresh]
        for signal, runs in meant:
            signal.routed = True
            for run in runs:
                if signal.number not in run.judged:
                    run.tell(signal)
        self.plan()

    def advance(self) -> int:
        due = [run for run in self.runs if (clock := run.clock()) and clock <= self.now]
        for run in due:
            run.tick()
        self.plan()
        return len(due)

    def plan(self) -> None:
        """Work that is owed is planned at the end of what led to it; what settles at once goes on from there."""
        while self.owed:
            owed, self.owed = self.owed, []
            ended = []
            kinds = list(dict.fromkeys(step["kind"] for _, step, _ in owed))
            by_kind = sorted(owed, key=lambda one: kinds.index(one[1]["kind"]))
            for run, step, visit in by_kind:
                word, answer = self.planned(run, step, visit)
                if word:
                    work = run.works[step["key"], visit]
                    work.end(DONE.get(word, "failed"), word, self.now)
                    ended.append((run, step, visit, word, answer))
            for run, step, visit, word, answer in ended:
                run.settle(step, visit, word, answer)
        self.let_go()

    def let_go(self) -> None:
        """Runs that ended give back what they did not use, once all that happened with them has been planned."""
        for work in self.abandoned:
            self.budgets.give_back(work)
            self.digests.leave(work)
        self.abandoned = []

    def planned(self, run: Shadow, step: Raw, visit: int) -> tuple[str, Any]:
        work = run.works[step["key"], visit]
        if step.get("channel") == "in_app":
            return "delivered", None
        if step["kind"] == "throttle":
            return self.budgets.come(run, work, self.now), None
        if step["kind"] == "digest":
            return self.digests.join(run, work, self.now)
        if step["kind"] != "external":
            return "", None
        job = self.jobs.setdefault(run.job, Job())
        if job.owner not in (None, run):
            return "permanent_failure", None
        job.owner, job.work = run, work
        if job.status in ("succeeded", "failed"):
            return job.status, job.answer
        work.due = later(self.now, step["timeout"]) if "timeout" in step else None
        return "", None

    # -- work -----------------------------------------------------------------------------------------------------

    def may_claim(self, work: Work) -> bool:
        is_due = work.due is not None and work.due <= self.now and not work.held and work.lost < MOST_LOST
        return is_due and not (work.step.get("at_most_once") and work.status == "running")

    def claim(self, run: Shadow, work: Work) -> bool:
        """Whether a worker gets it. Of a run that is switched off it does not, and all that is due is held."""
        if not self.may_claim(work):
            return False
        if work.undo and self.level == "all_off":
            for one in run.undos:
                if self.is_due(one) and not (one.step.get("at_most_once") and one.status == "running"):
                    one.held, one.lost, one.status = True, one.lost + (one.status == "running"), "owed"
            return False
        if run.off:
            for other in [run, *(one for one in self.runs if any(self.is_due(work) for work in one.works.values()))]:
                other.hold_if_off()
            return False
        work.lost += work.status == "running"
        work.status, work.due, work.attempts = "running", (LEASE, self.now[1]), work.attempts + 1
        return True

    def is_due(self, work: Work) -> bool:
        return work.due is not None and work.due <= self.now and not work.held

    def keep(self, work: Work, until: Time) -> None:
        """It may not be done yet; that was no try."""
        work.status, work.due, work.word = "owed", until, "held"

    def finish(self, run: Shadow, work: Work, word: str, retryable: bool, maybe: bool, answer: Any) -> None:
        step = work.step
        work.maybe = work.maybe or maybe
        if step.get("at_most_once") and (maybe or word == "unknown"):
            word, retryable = "unknown", False
        if retryable and (work.undo or not run.ended) and "temporary_failure" not in step.get("on_outcome", {}):
            if work.attempts < step["retry"]["max_attempts"]:
                work.status, work.due, work.word = "owed", later(self.now, step["retry"]["initial"]), word
                return
            word = "retries_exhausted"
        work.end(DONE.get(word, "failed"), word, self.now)
        self.told(run, work, word, answer)
        if word == "suppressed":
            self.budgets.give_back(work)

    def told(self, run: Shadow, work: Work, word: str, answer: Any = None) -> None:
        step = work.step
        if work.undo:
            run.go_on_undoing()
            return
        if word == "unknown" and step.get("at_most_once") and "unknown" not in step.get("on_outcome", {}):
            run.hold_if_off()
        else:
            run.settle(step, work.visit, word, answer)
        self.plan()
        run.go_on_undoing()

    def leases_end(self) -> None:
        """Every worker that holds something fell silent, and somebody looks after what it left."""
        lost = [
            (run, work) for run in self.runs for work in (*run.works.values(), *run.undos) if work.status == "running"
        ]
        for _, work in lost:
            work.due = self.now
        for run, work in lost:
            if work.held or (run.ended and not work.undo):
                continue
            if work.step.get("at_most_once"):
                work.lost += 1
                work.end("unknown", "unknown", self.now)
                self.told(run, work, "unknown")
            elif work.lost >= MOST_LOST:
                work.end("failed", "quarantined", self.now)
                self.budgets.give_back(work)
                if work.undo:
                    run.go_on_undoing()
                else:
                    run.fail(work.step, work.visit, "step_quarantined")
                    self.plan()
        for run, work in lost:
            if run.ended and not work.undo and work.status == "running":
                work.end("unknown", "unknown", self.now)
                self.budgets.give_back(work)
                run.go_on_undoing()

    def observe(self, name: str, status: str, answer: Any) -> None:
        job = self.jobs.setdefault(name, Job())
        if job.status in ("succeeded", "failed"):
            return
        job.status = status
        if status == "running":
            return
        if job.work is None or job.owner is None:
            job.answer = answer
            return
        job.work.end(DONE.get(status, "failed"), status, self.now)
        job.owner.settle(job.work.step, job.work.visit, status, answer)
        self.plan()
        job.owner.turned_out()

    def release(self) -> None:
        """The switch lets go on what it held."""
        if self.level == "all_off":
            return
        for run in self.runs:
            if any(one.held and one.status == "owed" for one in run.undos):
                for one in run.undos:
                    one.held, one.lost = False, 0 if one.held else one.lost
                run.go_on_undoing()
        for run in self.runs:
            if run.pause and run.pause.switch:
                run.resume()
        self.plan()
