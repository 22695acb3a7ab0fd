"""The rules of a run once more, in plain Python: what the machine holds the service against.

Written from the design and not from the engine: no module of `workflows` is imported here. Time is (minutes, tick):
minutes since the machine began, as far as it has moved the clock, and a tick for every thing that happens.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.model.world import World

Time = tuple[int, int]
Raw = dict[str, Any]
ENDS = {"completed", "stopped", "cancelled", "failed", "expired"}
DURATIONS = {"PT1H": 60, "PT2H": 120, "PT1H50M": 110, "P1D": 1440, "P2D": 2880}
ELSE = {"on_approve": "next", "on_reject": {"stop": "rejected"}, "on_timeout": {"stop": "approval_timed_out"}}


def later(now: Time, duration: str) -> Time:
    return now[0] + DURATIONS[duration], now[1]


def without_time(step: Raw) -> Raw:
    return {name: value for name, value in step.items() if name != "for"}


def rules_of(step: Raw) -> Raw:
    """Where each outcome leads that does not lead to the next step: as the step says, else as its kind does."""
    known: dict[str, Raw] = {"digest": {"digested": "complete", "removed": {"stop": "digest_item_removed"}}}
    if step.get("kind") == "throttle":
        said = step.get("on_limit", "delay")
        known["throttle"] = {"limited": {"stop": "throttled"} if said == "delay" else said}
    return known.get(step.get("kind", ""), {}) | step.get("on_outcome", {})


@dataclass
class Signal:
    number: int
    name: str
    subject: str
    k: str
    v: int
    at: Time
    routed: bool = False


@dataclass
class Wait:
    step: Raw
    since: Time | None
    opened: Time
    due: Time | None
    remind: Time | None


@dataclass
class Work:
    step: Raw
    visit: int
    due: Time | None
    status: str = "owed"
    held: bool = False
    attempts: int = 0
    lost: int = 0
    word: str = ""
    maybe: bool = False  # some try may have taken effect
    ended: Time | None = None
    undo: int = 0  # of a compensation: its place in the order
    of: "Work | None" = None  # what it undoes

    @property
    def name(self) -> str:
        return self.step["key"] if self.visit == 1 else f"{self.step['key']} #{self.visit}"

    @property
    def took(self) -> bool:
        return self.status == "succeeded" and self.word != "suppressed"

    @property
    def may_have(self) -> bool:
        if self.took or self.status == "running" or self.step["kind"] == "external":
            return False
        return self.status == "unknown" or self.maybe or self.lost > 0

    @property
    def doubtful(self) -> bool:
        """Whether somebody has to say that it took effect before it is undone."""
        if self.step["kind"] == "external":
            return self.status == "unknown"
        return self.may_have and self.step["compensate"].get("unsure") == "settle"

    def end(self, status: str, word: str, now: Time) -> None:
        self.status, self.word, self.due, self.ended = status, word, None, now


@dataclass
class Pause:
    was: str
    switch: bool
    until: Time | None
    told: list[Callable[[], None]] = field(default_factory=list)


class Shadow:
    """One run."""

    def __init__(self, world: "World", document: Raw, subject: str, k: str, job: str, n: int, begins: Time) -> None:
        self.world, self.document, self.name = world, document, ""
        self.subject, self.k, self.job, self.data = subject, k, job, {"n": n}
        self.given, self.collected = {"n": n}, dict[str, Raw]()
        self.state, self.step, self.terminal_reason = "pending", "", ""
        self.visits: dict[str, int] = {}
        self.wait: Wait | None = None
        self.pause: Pause | None = None
        self.unknown = False
        self.pending: list[Signal] = []
        self.judged: set[int] = set()
        self.works: dict[tuple[str, int], Work] = {}
        self.undos: list[Work] = []
        self.to_be_undone = False
        self.began = self.entered = world.now
        self.begins = begins
        self.deadline = later(begins, document["deadline"]) if "deadline" in document else None

    # -- what it looks like ---------------------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        return self.state in ENDS

    @property
    def off(self) -> bool:
        return self.world.level == "all_off" and not self.ended

    def clock(self) -> Time | None:
        if self.ended:
            return None
        if self.state == "pending":
            return self.begins
        clocks = [self.deadline]
        if self.pause:
            clocks.append(self.pause.until)
        elif self.wait:
            clocks += [self.wait.due, self.wait.remind]
        return min((one for one in clocks if one), default=None)

    def allowed(self) -> set[str]:
        """The actions that would be accepted."""
        if self.ended:
            doubt = any(
                one.status == "unknown" or (one.status == "owed" and self.of(one).doubtful) for one in self.undos
            )
            undoable = bool(self.fresh()) or any(one.status == "failed" for one in self.undos)
            startable = {"replay"} if self.world.level == "on" else set()
            settled = {"settle"} if doubt or self.is_unknown() else set()
            return startable | settled | ({"compensate"} if undoable else set())
        found = {"cancel"} | ({"settle"} if self.is_unknown() else set())
        found |= set() if self.pause else {"pause"}
        if not self.off:
            found |= {"resume"} if self.pause else {"wake"} if self.wait else set()
            if self.wait and not self.pause and self.wait.step["kind"] == "approval":
                found |= {"approve", "reject"}
        return found

    def is_unknown(self) -> bool:
        here = self.works.get((self.step, self.visits.get(self.step, 0)))
        return here is not None and here.status == "unknown"

    # -- going on -------------------------------------------------------------------------------------------------

    def here(self) -> Raw:
        return next(step for step in self.document["steps"] if step["key"] == self.step)

    def follow(self, target: Any) -> None:
        steps = self.document["steps"]
        match target:
            case "complete":
                self.end("completed", "completed_by_rule")
            case {"stop": reason, "compensate": True}:
                self.end("stopped", reason, compensate=True)
            case {"stop": reason}:
                self.end("stopped", reason)
            case {"goto": key}:
                self.enter(next(step for step in steps if step["key"] == key))
            case _:
                after = steps.index(self.here()) + 1
                self.enter(steps[after]) if after < len(steps) else self.end("completed", "last_step_done")

    def enter(self, step: Raw) -> None:
        self.state, self.step = "active", step["key"]
        self.visits[self.step] = self.visits.get(self.step, 0) + 1
        before, self.entered = self.entered, self.world.now
        if step["kind"] == "branch":
            arms = (arm["then"] for arm in step["when"] if self.holds(arm["if"]))
            self.follow(next(arms, step.get("else", "next")))
        elif step["kind"] in ("wait", "approval"):
            self.park(self.opened(step, before))
        else:
            self.works[self.step, self.visits[self.step]] = Work(step, self.visits[self.step], self.world.now)
            self.world.owed.append((self, step, self.visits[self.step]))

    def holds(self, condition: Raw) -> bool:
        found = self.at(condition["path"])
        return found is not None and bool(found >= condition["gte"])

    def at(self, path: str) -> Any:
        """What the path leads to, None where it leads nowhere."""
        found: Any = {"data": self.data, "steps": self.collected, "run": {"correlation": {"k": self.k}}}
        for name in path.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        return found

    def opened(self, step: Raw, before: Time) -> Wait:
        now, look_back = self.world.now, step.get("look_back", "since_run_start")
        named = {"since_run_start": self.began, "since_step": before, "none": None}
        since = named[look_back] if look_back in named else (now[0] - DURATIONS[look_back], now[1])
        due = later(now, step["for"]) if "for" in step else None
        return Wait(step, since, now, due, later(now, step["remind_after"]) if "remind_after" in step else None)

    def park(self, wait: Wait) -> None:
        self.state, self.wait = "waiting", wait
        if wait.since is not None:
            self.use_early(wait.since)

    def use_early(self, since: Time) -> None:
        """The oldest kept signal that the open wait takes."""
        assert self.wait is not None
        for signal in self.pending:
            rule = self.judge(signal)[0] if signal.at >= since else None
            if rule is not None:
                self.pending.remove(signal)
                self.leave(rule.get("then"))
                return

    def leave(self, target: Any) -> None:
        self.wait, self.state = None, "active"
        self.follow(target)

    def end(self, state: str, reason: str, compensate: bool = False) -> None:
        self.to_be_undone = compensate or state == "failed"
        self.state, self.terminal_reason = state, reason
        self.wait = self.pause = None
        self.pending = []
        for work in self.works.values():
            if work.status in ("owed", "running"):
                work.held = True
                if work.status == "owed":
                    work.end("cancelled", work.word, self.world.now)
                    self.world.abandoned.append(work)
        if self.to_be_undone:
            self.undo()

    # -- undoing --------------------------------------------------------------------------------------------------

    @staticmethod
    def of(undo: Work) -> Work:
        assert undo.of is not None
        return undo.of

    def fresh(self) -> list[Work]:
        """What took effect or may have or may yet, and has no compensation; what ended last comes first."""
        known = [one.of for one in self.undos]
        found = [
            one
            for one in self.works.values()
            if "compensate" in one.step
            and one not in known
            and (one.took or one.may_have or one.status in ("running", "unknown"))
        ]
        return sorted(found, key=self.completion, reverse=True)

    def completion(self, work: Work) -> tuple[bool, Time, int]:
        ended = None if work.status == "running" else work.ended
        return ended is None, ended or (0, 0), list(self.works.values()).index(work)

    def undo(self) -> list[str]:
        """All of it is to be undone, also what failed to be; the names, first the one that comes first."""
        fresh, again = self.fresh(), [one for one in self.undos if one.status == "failed"]
        for one in again:
            one.status, one.due, one.lost, one.maybe = "owed", None, 0, False
        self.owe(fresh)
        self.go_on_undoing()
        return [one.name for one in (*fresh, *again)]

    def owe(self, fresh: list[Work]) -> list[Work]:
        last = max((one.undo for one in self.undos), default=0)
        made = []
        for place, one in enumerate(fresh, start=last + 1):
            step = one.step["compensate"] | {"key": one.step["key"]}
            made.append(Work(step, one.visit, None, undo=place, of=one))
        self.undos += made
        return made

    def turned_out(self) -> None:
        """More became known of a visit. What took effect after all is undone next."""
        if not self.ended:
            return
        if self.to_be_undone or self.undos:
            needed = [one for one in self.undos if one.status == "cancelled" and self.of(one).took]
            for one in needed:
                one.status, one.ended = "owed", None
            first = [*self.owe(self.fresh()), *needed]
            first.sort(key=lambda one: self.completion(self.of(one)), reverse=True)
            waiting = [one for one in self.undos if one.status == "owed" and one.due is None and one not in first]
            if first:
                order = [*first, *sorted(waiting, key=lambda one: one.undo)]
                for one, place in zip(order, sorted(one.undo for one in order), strict=True):
                    one.undo = place
        self.go_on_undoing()

    def go_on_undoing(self) -> None:
        """The next compensation begins, if none is under way and nothing in flight comes first."""
        if not self.ended:
            return
        in_order = sorted(self.undos, key=lambda one: one.undo)
        for one in in_order:
            of = self.of(one)
            if one.status == "owed" and of.doubtful and of.status != "unknown":
                of.status, of.due, of.held = "unknown", None, True
        if any(one.status == "running" or (one.status == "owed" and one.due is not None) for one in in_order):
            return
        for one in in_order:
            of = self.of(one)
            if one.status != "owed" or of.doubtful:
                continue
            if of.status == "running":
                return
            if not (of.took or of.may_have):
                one.end("cancelled", one.word, self.world.now)
            elif self.world.level == "all_off":
                one.held = True
                return
            elif one.step.get("channel") == "in_app":
                one.end("succeeded", "delivered", self.world.now)
            else:
                one.due = self.world.now
                return

    # -- signals --------------------------------------------------------------------------------------------------

    def is_meant(self, rule: Raw, signal: Signal) -> bool:
        values = signal.k == self.k if "match" in rule else signal.subject == self.subject
        return bool(rule["name"] == signal.name and values)

    def could_mean(self, signal: Signal) -> bool:
        return any(self.is_meant(rule, signal) for step in self.document["steps"] for rule in step.get("signals", ()))

    def judge(self, signal: Signal) -> tuple[Raw | None, bool]:
        """The rule of the open wait that takes it, and whether a condition refused it."""
        assert self.wait is not None
        meant = [rule for rule in self.wait.step.get("signals", ()) if self.is_meant(rule, signal)]
        takes = [rule for rule in meant if "when" not in rule or signal.v >= 5]
        return (takes[0], False) if takes else (None, bool(meant))

    def tell(self, signal: Signal) -> None:
        """A signal that its values mean for this run."""
        self.judged.add(signal.number)
        self.hold_if_off()
        if self.ended:
            return
        if self.wait is not None:
            rule, refused = self.judge(signal)
            if refused:
                return
            if rule is not None and not self.pause:
                self.leave(rule.get("then"))
                return
            if rule is not None:
                self.pending.append(signal)
                return
        if signal.name in self.ahead():
            self.pending.append(signal)

    def ahead(self) -> set[str]:
        """The names that a wait still to come listens for."""
        steps = self.document["steps"]
        following = [*(step["key"] for step in steps[1:]), ""]
        ways = {step["key"]: self.ways(step, after) for step, after in zip(steps, following, strict=True)}
        todo, seen = [*ways[self.step]] if self.step else [steps[0]["key"]], set()
        while todo:
            key = todo.pop()
            if key and key not in seen:
                seen.add(key)
                todo += ways[key]
        return {rule["name"] for step in steps if step["key"] in seen for rule in step.get("signals", ())}

    def ways(self, step: Raw, following: str) -> set[str]:
        targets = [rule.get("then") for rule in step.get("signals", ())]
        match step["kind"]:
            case "branch":
                targets += [arm["then"] for arm in step["when"]] + [step.get("else")]
            case "approval":
                targets += [step.get(name, ELSE[name]) for name in ELSE]
            case "wait":
                targets += [step.get("on_timeout")] if "for" in step else []
            case _:
                targets += [*step.get("on_outcome", {}).values(), "next"]
                targets += [limit] if (limit := step.get("on_limit", "delay")) != "delay" else []
        nexts = {following} if any(target in (None, "next") for target in targets) else set()
        return nexts | {target["goto"] for target in targets if isinstance(target, dict) and "goto" in target}

    # -- clocks and people ----------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Its clock has come."""
        now = self.world.now
        begins = self.state == "pending"
        expires = self.deadline is not None and self.deadline <= now
        if begins:
            self.look_back()
        if expires:
            self.end("expired", "deadline_passed")
            return
        was_paused = self.pause is not None
        self.hold_if_off()
        if was_paused:
            if self.pause and self.pause.until and self.pause.until <= now:
                self.resume()
        elif self.pause:
            return
        elif begins:
            self.enter(self.document["steps"][0])
        elif self.wait and self.wait.due and self.wait.due <= now:
            self.time_out()
        elif self.wait and self.wait.remind and self.wait.remind <= now:
            self.wait.remind = None

    def look_back(self) -> None:
        for signal in self.before():
            self.tell(signal)

    def before(self) -> list[Signal]:
        """Signals of before that it was not told of, as far back as any of its waits looks."""
        backs = {step.get("look_back") for step in self.document["steps"]}
        now = self.world.now
        since = min(self.began, (now[0] - 60, now[1])) if "PT1H" in backs else self.began
        fresh = (one for one in self.world.signals if one.at >= since and one.number not in self.judged)
        return [one for one in fresh if self.could_mean(one)]

    def time_out(self) -> None:
        assert self.wait is not None
        step = self.wait.step
        self.leave(step.get("on_timeout", ELSE["on_timeout"] if step["kind"] == "approval" else None))

    def decide(self, approved: bool) -> None:
        assert self.wait is not None
        name = "on_approve" if approved else "on_reject"
        self.leave(self.wait.step.get(name, ELSE[name]))

    def hold(self, switch: bool, until: Time | None = None) -> None:
        self.pause = Pause(self.state, switch, until)
        self.state = "paused"
        self.hold_work(True)

    def hold_if_off(self) -> None:
        if not self.off:
            return
        if self.pause is None:
            self.hold(switch=True)
        elif self.pause.until and self.pause.until <= self.world.now:
            self.pause.switch, self.pause.until = True, None

    def hold_work(self, held: bool) -> None:
        for work in self.works.values():
            if work.status in ("owed", "running"):
                work.held = held

    def resume(self) -> None:
        pause, self.pause = self.pause, None
        assert pause is not None
        self.state = pause.was
        self.hold_work(False)
        if self.wait is not None:
            self.use_early(self.wait.since or self.wait.opened)
        for told in pause.told:
            told()

    def change_version(self, document: Raw) -> bool:
        """Stand on another version with the same steps, if it can move; whether it did."""
        was = self.pause.was if self.pause else self.state
        if was not in ("pending", "waiting") or any(work.status == "running" for work in self.works.values()):
            return False
        self.hold_if_off()
        self.document = document
        if self.wait is None:
            return True
        old, new = self.wait.step, self.here()
        if without_time(old) == without_time(new):
            self.keep_early([])
            return True
        self.keep_early(new.get("signals", []))
        self.visits[self.step] += 1
        wait = Wait(new, self.wait.since, self.wait.opened, self.wait.due, self.wait.remind)
        if self.pause:
            self.wait = wait
        else:
            self.park(wait)
        return True

    def keep_early(self, opening: list[Raw]) -> None:
        """What came before and only this version listens for."""
        for signal in self.before():
            if signal.name in self.ahead() or any(self.is_meant(rule, signal) for rule in opening):
                self.judged.add(signal.number)
                self.pending = sorted([*self.pending, signal], key=lambda one: one.at)

    # -- outcomes -------------------------------------------------------------------------------------------------

    def settle(self, step: Raw, visit: int, word: str, answer: Any = None) -> None:
        """Its work ended so, or did later."""
        self.hold_if_off()
        self.settled(step, visit, word, answer)

    def settled(self, step: Raw, visit: int, word: str, answer: Any = None) -> None:
        if self.ended:
            return
        if answer is not None and step["kind"] == "digest":
            self.collected[step["key"]] = answer
        elif answer is not None and "answer" in step:
            self.data[step["answer"]] = answer
        rules = rules_of(next((one for one in self.document["steps"] if one["key"] == step["key"]), {}))
        has_rule, target = word in rules, rules.get(word)
        is_here = self.is_here(step, visit)
        if self.state == "active" and is_here:
            self.unknown = False
            if word == "digested" and target == "complete":
                self.end("completed", "digested")
            else:
                self.follow(target)
        elif self.pause:
            if has_rule or is_here:
                self.pause.told.append(lambda: self.settled(step, visit, word))
        elif has_rule and self.wait:
            self.leave(target)

    def is_here(self, step: Raw, visit: int) -> bool:
        return (self.step, self.visits.get(self.step)) == (step["key"], visit)

    def fail(self, step: Raw, visit: int, reason: str) -> None:
        self.hold_if_off()
        self.failed(step, visit, reason)

    def failed(self, step: Raw, visit: int, reason: str) -> None:
        if self.ended or not self.is_here(step, visit):
            return
        if self.pause:
            self.pause.told.append(lambda: self.failed(step, visit, reason))
        elif self.state == "active":
            self.end("failed", reason)
