"""Digests once more, in plain Python: who is in which, when it closes, who leads and what with."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.model.shadow import Raw, Shadow, Time, Work, later

Name = tuple[str, str, Any]
Output = dict[str, Any]


@dataclass
class Item:
    """What one visit brought. `left`: why it is in it no more; `told`: its run went on from there."""

    run: Shadow
    work: Work
    value: Any
    position: int = 0
    left: str = ""
    told: bool = False

    @property
    def key(self) -> str:
        return f"{self.run.name}:{self.work.step['key']}:{self.work.visit}"


@dataclass
class Digest:
    """What is collected under one name. `id` is what the database calls it, once that was asked."""

    name: Name
    opened: Time
    closes: Time
    due: Time | None
    status: str = "open"
    by: str = ""
    items: list[Item] = field(default_factory=list)
    given: int = 0
    count: int = 0  # also of those that were pruned since
    leader: Shadow | None = None
    id: int = 0

    @property
    def inside(self) -> list[Item]:
        return [one for one in self.items if not one.left]

    @property
    def untold(self) -> list[Item]:
        return [one for one in self.inside if not one.told]

    def as_stored(self) -> dict[str, Any]:
        """What should be stored, moments to the nearest ten minutes."""
        return {
            "place": self.name[:2],
            "status": (self.status, self.by, self.given, self.count),
            "closes": (round(self.closes[0] / 10), self.due is not None),
            "leader": self.leader.name if self.leader else "",
            "items": [(one.position, one.key, one.value, one.left, one.told) for one in self.items],
        }


class Digests:
    """One tenant's digests, the oldest first."""

    def __init__(self) -> None:
        self.all: list[Digest] = []

    def join(self, run: Shadow, work: Work, now: Time) -> tuple[str, Output | None]:
        """A run comes to the step: it goes on at once with its own item, or rests."""
        step = work.step
        by = run.at(step["by"]) if "by" in step else ""
        value = copy.deepcopy(run.at(step["item"]) if "item" in step else run.data)
        work.due = None
        if by is None:
            return "sent_first", {"items": [value], "count": 1, "more": 0}
        digest = self._open((step["key"], "" if step.get("across_subjects") else run.subject, by), step, now)
        digest.given += 1
        digest.items.append(item := Item(run, work, value, digest.given))
        if step.get("flush_first") and digest.given == 1:
            item.left, item.told = "sent_first", True
            return "sent_first", {"items": [value], "count": 1, "more": 0}
        self._grow(digest, step, now)
        return "", None

    def _open(self, name: Name, step: Raw, now: Time) -> Digest:
        found = [one for one in self.all if one.name == name and one.status == "open"]
        if not found:
            window = step["window"]
            closes = later(now, window["fixed"] if "fixed" in window else window["sliding"]["quiet"])
            found = [Digest(name, now, closes, closes)]
            self.all += found
        return found[0]

    @staticmethod
    def _grow(digest: Digest, step: Raw, now: Time) -> None:
        if "sliding" in step["window"] and digest.closes > now:
            sliding = step["window"]["sliding"]
            latest = later(digest.opened, sliding["at_most"])
            digest.closes = max(digest.closes, min(later(now, sliding["quiet"]), latest))
        digest.count += 1
        if digest.count >= step.get("max_items", 1000):
            digest.status, digest.closes = "full", now
        digest.due = digest.closes

    def leave(self, work: Work, why: str = "run_ended") -> None:
        """Its run has ended, or somebody took it out. What is in a closed digest stays there."""
        for digest in self.all:
            for item in digest.untold:
                if item.work is work:
                    item.told = True
                    if digest.status != "closed":
                        item.left, digest.count = why, digest.count - 1

    def close_due(self, now: Time, plan: Callable[[], None]) -> int:
        """Close those whose time has come, and tell the members of closed ones; how many were looked at."""
        due = sorted((one.due, one.id, one) for one in self.all if one.due and one.due <= now)
        for _, _, digest in due:
            if digest.status != "closed" and digest.closes <= now:
                self.close(digest, now, "time", plan)
            for item in digest.untold:
                self.go_on(item, "digested", None, now)
            plan()
            digest.due = None if digest.status == "closed" else digest.due
        return len(due)

    def close(self, digest: Digest, now: Time, by: str, plan: Callable[[], None]) -> None:
        """Its leader goes on with all items; the others are told next."""
        inside = digest.inside
        digest.by = "full" if digest.status == "full" else by
        digest.status, digest.due = "closed", now if len(inside) > 1 else None
        first = min(inside, key=lambda one: (one.run.pause is not None, one.position), default=None)
        if first is not None:
            digest.leader = first.run
            shown = [one.value for one in inside][: first.work.step.get("show", 10)]
            output = {"items": shown, "count": len(inside), "more": len(inside) - len(shown)}
            self.go_on(first, "collected", output, now)
        plan()

    @staticmethod
    def go_on(item: Item, word: str, output: Output | None, now: Time) -> None:
        """Its run leaves the step."""
        item.told = True
        item.work.end("cancelled" if word == "removed" else "succeeded", word, now)
        item.run.settle(item.work.step, item.work.visit, word, output)

    def forget(self, run: Shadow) -> None:
        """The run was pruned: its items went with it, and digests that it leaves behind as nobody's."""
        for digest in self.all:
            digest.items = [one for one in digest.items if one.run is not run]
            digest.leader = None if digest.leader is run else digest.leader
        self.all = [one for one in self.all if one.items or one.leader or one.status != "closed"]
