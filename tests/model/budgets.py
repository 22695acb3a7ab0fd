"""Throttles once more, in plain Python: who passed under a name, and whose turn comes when."""

from dataclasses import dataclass
from typing import Any

from tests.model.shadow import DURATIONS, Shadow, Time, Work, later

Name = tuple[str, str, Any]


@dataclass
class Pass:
    """What one visit took: `passed` at that moment, or its turn is then."""

    run: Shadow
    work: Work
    name: Name
    at: Time
    passed: bool

    @property
    def key(self) -> str:
        return f"{self.run.name}:{self.work.step['key']}:{self.work.visit}"

    @property
    def until(self) -> Time:
        return later(self.at, self.work.step["window"])


class Budgets:
    """One tenant's passes, of whatever name."""

    def __init__(self) -> None:
        self.taken: list[Pass] = []

    def come(self, run: Shadow, work: Work, now: Time) -> str:
        """A run comes to the step: `passed`, `limited`, or nothing yet, because it has its turn."""
        step = work.step
        by = run.at(step["by"]) if "by" in step else ""
        if by is None:
            return "passed" if step.get("missing_key", "open") == "open" else "limited"
        mine = Pass(run, work, (step["key"], "" if step.get("across_subjects") else run.subject, by), now, passed=True)
        used = self._full(mine, now)
        if used and step.get("on_limit") != "delay":
            return "limited"
        if used:
            mine.at, mine.passed = later(used[-1], step["window"]), False
            work.due = mine.at
        self.taken.append(mine)
        return "passed" if mine.passed else ""

    def take_turn(self, work: Work, now: Time) -> tuple[str, Time | None]:
        """A worker looks whether there is room: it passes, or is held until another turn."""
        mine = next((one for one in self.taken if one.work is work), None)
        if mine is None or mine.passed:  # a worker before took it
            return "passed", None
        if self._full(mine, now, turns=False):
            mine.at = later(self._full(mine, now)[-1], work.step["window"])
            return "held", mine.at
        mine.at, mine.passed = now, True
        return "passed", None

    def give_back(self, work: Work) -> None:
        """Its run has ended: the turn is somebody else's."""
        self.taken = [one for one in self.taken if one.work is not work or one.passed]

    def forget(self, now: Time) -> int:
        """What has left its window; a turn that nobody has taken yet stays."""
        old = [one for one in self.taken if one.passed and one.until <= now]
        self.taken = [one for one in self.taken if one not in old]
        return len(old)

    def _full(self, mine: Pass, now: Time, *, turns: bool = True) -> list[Time]:
        step = mine.work.step
        since = now[0] - DURATIONS[step["window"]], now[1]
        others = [one for one in self.taken if one.name == mine.name and one.work is not mine.work]
        counting = sorted((one.at for one in others if one.at > since and (turns or one.passed)), reverse=True)
        newest = counting[: step["threshold"]]
        return newest if len(newest) == step["threshold"] else []
