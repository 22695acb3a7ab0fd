"""The state machine: what may happen to the runs of two tenants, and what holds after each of it."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from deliveries.models import Delivery
from deliveries.services import record_bounce
from signals_app.services.intake import accept_signals
from signals_app.services.new_signal import NewSignal
from tenants.scope import database_now, tenant_scope
from tests.control.runs import let_leases_run_out
from tests.journeys import publish
from tests.model.collecting import Digest
from tests.model.documents import JOB, SIGNALS, pairs
from tests.model.shadow import ENDS, Shadow, Signal, Work
from tests.model.side import Side, modelled, stored
from tests.model.world import DONE
from tests.retention.conftest import keep, prune
from workflows.digests.closing import Asked, close_due_digests
from workflows.digests.control import DigestClosed, DigestNotFound, ItemGone, flush_digest, remove_item
from workflows.errors import StaleAttempt
from workflows.explain import explain_run
from workflows.models import Digest as StoredDigest
from workflows.models import Run
from workflows.services import lost_work
from workflows.services.advance import advance_due
from workflows.services.approvals import Decision, approve_runs, reject_runs
from workflows.services.cancel_by_key import Key, cancel_by_key, lift_sticky_cancel
from workflows.services.control import ControlVerdict, cancel_runs, compensate_runs, pause_runs, resume_runs, wake_runs
from workflows.services.external import observe_external
from workflows.services.forsaken import end_forsaken
from workflows.services.replay import replay_run
from workflows.services.route import route_signals
from workflows.services.start import NewRun, Started, start_runs
from workflows.services.start_checks import DefinitionOff
from workflows.services.switch_holding import release_held
from workflows.services.switches import switch_definition
from workflows.services.unknown import NotUnknown, settle_unknown
from workflows.services.version_moves import move_planned, plan_move
from workflows.services.version_plan import Change
from workflows.services.work import claim_work, finish_work, perform
from workflows.states import Cause
from workflows.steps.base import Claim, Outcome
from workflows.throttles.counting import forget_passes, take_turn
from workflows.verify import verify_trace

MOST_RUNS = 6
WHO: dict[str, Any] = {"cause": Cause.API, "cause_ref": "model"}
WORDS = {"ok": ("delivered", "succeeded"), "permanent": ("permanent_failure",) * 2, "unknown": ("unknown",) * 2}
OF_KIND = {"throttle": "passed", "digest": "collected"}  # which ends of these kinds somebody may tell
ASKED = Asked(Cause.API, "model", "now")
picks = st.integers(0, 1_000_000)
sides = st.integers(0, 1)
words = st.sampled_from(["ok", "ok", "ok", "temporary", "maybe", "permanent", "unknown"])
several = st.lists(words, max_size=3)
comings = st.lists(st.sampled_from(["join", "join", "pause", "cancel"]), min_size=2, max_size=5)
many = st.lists(words, min_size=3, max_size=5)


class Stub:
    """Stands for providers and other services: what comes of the next try."""

    outcome = Outcome("delivered")
    side: Side

    def take_turn(self, claim: Claim) -> Outcome:
        """At a throttle, by the clock of the machine."""
        with tenant_scope(claim.tenant_id):
            return take_turn(claim=claim, now=self.side.now())


class Journeys(RuleBasedStateMachine):
    """What may happen to the runs of two tenants, in any order."""

    stub: Stub
    told: ControlVerdict
    ticks = agreed = 0

    @initialize(
        pair=pairs(),
        n=st.integers(0, 9),
        early=st.lists(st.sampled_from(SIGNALS), max_size=3),
        said=many,
        ends=st.booleans(),
        deeds=comings,
    )
    def begin(
        self,
        pair: tuple[dict[str, Any], dict[str, Any]],
        n: int,
        early: list[str],
        said: list[str],
        ends: bool,
        deeds: list[str],
    ) -> None:
        self.sides = [Side(pair), Side(pair)]
        self.acting = self.sides[0]
        for which, k, job in ((0, "1", "x"), (1, "1", "x"), (0, "2", "y")):
            self._start_one(which, "ada", k, job, n, "", 0)
            self.sync(self.acting)
        for name in early:  # before any run comes to its first wait
            self.signal(0, name, "ada", "1", n, again=False, routed=False)
        self.let_runs_go_on(0)
        if self.acting.document["steps"][0]["kind"] == "digest":
            self.collect(0, deeds)
        self.work(0, n, said)
        if ends:  # after it did something
            self.sync(self.acting)
            self.cancel(0, n, twice=False, undo=True, said=said)
        self.sync(self.acting)

    def act(self, which: int, *, moved: bool = False) -> Side:
        """The next thing happens to this tenant: now, or at the moment to which the clock was moved."""
        self.ticks += 1
        self.acting = self.sides[which]
        self.acting.world.let_go()
        self.acting.world.now = (self.acting.offset if moved else 0, self.ticks)
        return self.acting

    def idle(self) -> None:
        """There was nothing that it could happen to."""
        self.agreed = self.ticks

    # -- starts and signals ---------------------------------------------------------------------------------------

    @rule(
        which=sides,
        subject=st.sampled_from(["ada", "ada", "bob"]),
        k=st.sampled_from("1112"),
        job=st.sampled_from("xy"),
        n=st.integers(0, 9),
        key=st.sampled_from(["", "", "k1"]),
        scheduled=st.sampled_from([0, 0, 0, 180]),
    )
    def start(self, which: int, subject: str, k: str, job: str, n: int, key: str, scheduled: int) -> None:
        self._start_one(which, subject, k, job, n, key, scheduled)

    def _start_one(self, which: int, subject: str, k: str, job: str, n: int, key: str, scheduled: int) -> None:
        side = self.act(which)
        if len(side.world.runs) >= MOST_RUNS:
            self.idle()
            return
        at = database_now() + timedelta(minutes=scheduled) if scheduled else None
        data = {"n": n, "email": f"{self.ticks}@example.com"}
        new = NewRun(subject, {"k": k, "job": job}, data, idempotency_key=key or None, at=at)
        if key in side.keys:
            new, _ = side.keys[key]  # the same request again
        begins = (scheduled, self.ticks)
        shadow = Shadow(side.world, side.document, new.subject, new.correlation["k"], new.correlation["job"], n, begins)
        asked = {"tenant_id": side.tenant_id, "definition_key": "random", "runs": [new]}
        self._start(side, lambda: start_runs(**asked)[0], shadow, key, new)

    def _start(self, side: Side, call: Callable[[], Started], shadow: Shadow, key: str, new: Any) -> None:
        if side.world.level != "on":
            with pytest.raises(DefinitionOff):
                call()
            self.unchanged(side)
            return
        started = call()
        known = side.keys.get(key)
        assert started.created == (known is None)
        if known is not None:
            assert started.public_id == known[1]
            self.unchanged(side)
            return
        side.ids.append(started)
        shadow.name = str(started.public_id)
        side.world.runs.append(shadow)
        if key:
            side.keys[key] = (new, started.public_id)
        if shadow.k in side.world.sticky:
            shadow.end("cancelled", "sticky")
        assert started.cancelled == shadow.ended

    @rule(
        which=sides,
        name=st.sampled_from(SIGNALS),
        subject=st.sampled_from(["ada", "bob", ""]),
        k=st.sampled_from("1123"),
        v=st.integers(0, 9),
        again=st.sampled_from([False, False, True]),
        routed=st.booleans(),
    )
    def signal(self, which: int, name: str, subject: str, k: str, v: int, again: bool, routed: bool) -> None:
        side = self.act(which)
        number = len(side.world.signals)
        new = NewSignal(name, subject, {"k": k}, {"v": v}, external_id=f"e{number}")
        receipt = accept_signals(tenant_id=side.tenant_id, signals=[new])[0]
        assert receipt.status == "accepted"
        side.world.signals.append(Signal(number, name, subject, k, v, side.world.now))
        if again:
            assert accept_signals(tenant_id=side.tenant_id, signals=[new])[0].status == "duplicate"
        if routed:
            self.route(which)

    @rule(which=sides)
    def route(self, which: int) -> None:
        side = self.act(which)
        route_signals(tenant_id=side.tenant_id)
        side.world.route()

    # -- time -----------------------------------------------------------------------------------------------------

    @rule(which=sides, minutes=st.sampled_from([0, 0, 0, 100, 100, 1500]), closes=st.booleans())
    def advance(self, which: int, minutes: int, closes: bool) -> None:
        self.sides[which].offset += minutes
        self.let_runs_go_on(which)
        if closes:
            self.close_digests(which)

    def let_runs_go_on(self, which: int) -> None:
        side = self.act(which)
        for _ in range(30):
            self.act(which, moved=True)
            taken = advance_due(tenant_id=side.tenant_id, now=side.now())
            assert taken == side.world.advance()
            if not taken:
                return
        raise AssertionError("some run is due for ever")

    # -- work -----------------------------------------------------------------------------------------------------

    def works(self, side: Side, status: str = "") -> list[tuple[Shadow, Work]]:
        found = [(run, work) for run in side.world.runs for work in (*run.works.values(), *run.undos)]
        return [one for one in found if not status or one[1].status == status]

    @rule(which=sides, pick=picks, only_due=st.sampled_from([True, True, False]))
    def claim(self, which: int, pick: int, only_due: bool) -> None:
        side = self.act(which, moved=True)
        works = [one for one in self.works(side) if one[1].status in ("owed", "running")]
        due = [one for one in works if side.world.may_claim(one[1])]
        known = due if only_due else [one for one in works if one not in due] or self.works(side)
        if not known:
            self.idle()
            return
        run, work = known[pick % len(known)]
        mine = side.step_run(run, work).pk
        claim = claim_work(tenant_id=side.tenant_id, worker="w", now=side.now(), step_run_id=mine)
        assert (claim is not None) == side.world.claim(run, work)
        if claim is not None:
            assert claim.attempt_number == work.attempts
            side.claims.append((claim, run, work))

    @precondition(lambda self: any(side.claims for side in self.sides))
    @rule(which=sides, pick=picks, said=words)
    def finish(self, which: int, pick: int, said: str) -> None:
        side = self.act(which if self.sides[which].claims else 1 - which)
        claim, run, work = side.claims.pop(pick % len(side.claims))
        kind = work.step["kind"]
        word = WORDS.get(said, ("temporary_failure",) * 2)[kind == "http"]
        answer = {"n": pick % 10} if kind == "http" and said == "ok" else None
        self.stub.outcome = Outcome(
            word, retryable=said in ("temporary", "maybe"), maybe_done=said == "maybe", answer=answer
        )
        ours = work.status == "running" and claim.attempt_number == work.attempts
        until = None
        if kind == "throttle" and not run.ended:
            self.act(self.sides.index(side), moved=True)
            word, until = side.world.budgets.take_turn(work, side.world.now)
        self.stub.side = side
        outcome = perform(claim)
        self.act(self.sides.index(side))
        if ours:
            told = "suppressed" if run.ended and not work.undo else "timed_out" if kind == "external" else word
            assert outcome.word == told, outcome
        if not ours:
            with pytest.raises(StaleAttempt):
                finish_work(claim=claim, outcome=outcome)
            return
        finish_work(claim=claim, outcome=outcome)
        if until is not None:
            side.world.keep(work, until)
            return
        side.world.finish(run, work, outcome.word, outcome.retryable, outcome.maybe_done, outcome.answer)

    @rule(which=sides, pick=picks, said=several)
    def work(self, which: int, pick: int, said: list[str]) -> None:
        """One piece after another, of one tenant."""
        for word in said:
            self.claim(which, pick, only_due=True)
            if claims := self.sides[which].claims:
                self.finish(which, len(claims) - 1, word)
        self.agreed = 0  # look, also when there was nothing left to do

    @rule(which=sides)
    def forget_passes(self, which: int) -> None:
        """What does not count any more."""
        side = self.act(which, moved=True)
        with tenant_scope(side.tenant_id):
            assert forget_passes(side.tenant_id, side.now()) == side.world.budgets.forget(side.world.now)

    # -- digests --------------------------------------------------------------------------------------------------

    @rule(which=sides)
    def close_digests(self, which: int) -> None:
        """Those whose time has come, and those that are full."""
        side = self.act(which, moved=True)
        for _ in range(30):
            self.act(which, moved=True)
            side.digests()  # new ones learn their ids: those of one moment close in that order
            taken = close_due_digests(tenant_id=side.tenant_id, now=side.now())
            assert taken == side.world.digests.close_due(side.world.now, side.world.plan)
            if not taken:
                return
        raise AssertionError("some digest is due for ever")

    @precondition(lambda self: any(step["kind"] == "digest" for step in self.sides[0].document["steps"]))
    @rule(which=sides, deeds=comings)
    def collect(self, which: int, deeds: list[str]) -> None:
        """Some come and the first of those who are there goes or is held; then the time is up."""
        side = self.sides[which]
        for deed in deeds:
            self.sync(side)
            inside = [item.run for digest in side.world.digests.all if not digest.by for item in digest.inside]
            first = next((run for run in inside if deed in run.allowed()), None)
            if deed == "join":
                self._start_one(which, "ada", "1", "x", len(side.world.runs), "", 0)
                self.let_runs_go_on(which)
            elif first is not None:
                self.act(which)
                {"pause": self._pause, "cancel": self._cancel}[deed](first)
        side.offset += 100
        self.close_digests(which)

    @precondition(lambda self: any(side.world.digests.all for side in self.sides))
    @rule(which=sides, pick=picks)
    def flush_digest(self, which: int, pick: int) -> None:
        """Somebody closes it now; its members are told later."""
        side, digest, public_id = self.some_digest(which, pick)
        if digest.status == "closed":
            with pytest.raises(DigestClosed):
                flush_digest(tenant_id=side.tenant_id, public_id=public_id, asked=ASKED)
            self.unchanged(side)
            return
        flush_digest(tenant_id=side.tenant_id, public_id=public_id, asked=ASKED)
        side.world.digests.close(digest, side.world.now, "flush", side.world.plan)

    @precondition(lambda self: any(side.world.digests.all for side in self.sides))
    @rule(which=sides, pick=picks, position=st.integers(1, 3))
    def remove_item(self, which: int, pick: int, position: int) -> None:
        """Somebody takes one out."""
        side, digest, public_id = self.some_digest(which, pick)
        item = next((one for one in digest.items if one.position == position), None)
        asked: Any = {"tenant_id": side.tenant_id, "public_id": public_id, "position": position, "asked": ASKED}
        if item is None or item.left or digest.status == "closed":
            with pytest.raises(DigestNotFound if item is None else ItemGone if item.left else DigestClosed):
                remove_item(**asked)
            self.unchanged(side)
            return
        remove_item(**asked)
        side.world.digests.leave(item.work, "removed")
        side.world.digests.go_on(item, "removed", None, side.world.now)
        side.world.plan()

    def some_digest(self, which: int, pick: int) -> tuple[Side, Digest, uuid.UUID]:
        side = self.act(which if self.sides[which].world.digests.all else 1 - which)
        known, _ = side.digests()
        digest = known[pick % len(known)]
        with tenant_scope(side.tenant_id):
            return side, digest, StoredDigest.objects.get(tenant_id=side.tenant_id, pk=digest.id).public_id

    @rule(which=sides)
    def workers_are_lost(self, which: int) -> None:
        side = self.act(which)
        let_leases_run_out(side.tenant)
        lost_work.end_lost_work(tenant_id=side.tenant_id)
        end_forsaken(tenant_id=side.tenant_id)
        side.world.leases_end()

    @rule(which=sides, pick=picks, said=st.sampled_from(["ok", "permanent", "retry"]))
    def settle(self, which: int, pick: int, said: str) -> None:
        side = self.act(which)
        known = self.works(side, "unknown") or self.works(side)
        known = [one for one in known if one[1].step["kind"] != "external"]
        if not known:
            self.idle()
            return
        run, work = known[pick % len(known)]
        word = said if said == "retry" else WORDS[said][work.step["kind"] == "http"]
        word = OF_KIND.get(work.step["kind"], word) if said != "retry" else word
        stays = not work.undo and said == "retry" and not (run.is_here(work.step, work.visit) and run.state == "active")
        key = side.step_run(run, work).key

        def call() -> None:
            settle_unknown(tenant_id=side.tenant_id, key=key, outcome=word, reason="looked", **WHO)

        if work.status != "unknown" or stays:
            with pytest.raises(NotUnknown):
                call()
            self.unchanged(side)
            return
        call()
        work.lost, work.maybe = 0, False
        if work.undo and said == "retry":
            work.status, work.due, work.ended = "owed", None, None
        elif said == "retry":
            work.status, work.due, work.ended = "owed", side.world.now, None
            run.hold_if_off()
        else:
            work.end(DONE.get(word, "failed"), word, side.world.now)
            if not work.undo:
                run.settle(work.step, work.visit, word)
                side.world.plan()
        run.go_on_undoing()

    @rule(
        which=sides,
        job=st.sampled_from("xy"),
        status=st.sampled_from(["running", "succeeded", "failed"]),
        n=st.integers(0, 9),
    )
    def observe(self, which: int, job: str, status: str, n: int) -> None:
        side = self.act(which)
        answer = {"n": n} if status == "succeeded" else None
        observe_external(tenant_id=side.tenant_id, kind=JOB, external_id=job, status=status, data=answer)
        side.world.observe(job, status, answer)

    @rule(which=sides, pick=picks)
    def bounce(self, which: int, pick: int) -> None:
        side = self.act(which)
        taken = [one for one in self.works(side) if one[1].step.get("channel") == "in_app"]
        told = [one for one in taken if one[1].status in ("succeeded", "failed")]
        if not told:
            self.idle()
            return
        run, work = told[pick % len(told)]
        with tenant_scope(side.tenant_id):
            mine = Delivery.objects.get(tenant_id=side.tenant_id, step_run_id=side.step_run(run, work).pk)
        was = mine.status
        record_bounce(tenant_id=side.tenant_id, delivery=mine.public_id)
        if was == "bounced":
            self.unchanged(side)
            return
        work.status, work.word = "failed", "bounced"
        if work.undo:
            run.go_on_undoing()
            return
        run.settle(work.step, work.visit, "bounced")
        side.world.plan()
        run.turned_out()

    # -- people ---------------------------------------------------------------------------------------------------

    def control(
        self, which: int, pick: int, action: str, verb: Callable[..., list[ControlVerdict]], **given: Any
    ) -> Shadow | None:
        """Ask it of some run; the run's model if it was to be accepted, and that is what was said."""
        side = self.act(which)
        if not side.world.runs:
            self.idle()
            return None
        willing = [run for run in side.world.runs if action in run.allowed()] if pick % 4 else []
        asked = willing or side.world.runs
        run = asked[pick % len(asked)]
        return self.ask(run, action, verb, **given)

    def ask(self, run: Shadow, action: str, verb: Callable[..., list[ControlVerdict]], **given: Any) -> Shadow | None:
        """Ask it of this run."""
        side = self.acting
        accepted = action in run.allowed()
        if "decision" in given and accepted and run.wait and "actors" in run.wait.step:
            accepted = given["decision"].actor == "ada"
        [told] = verb(tenant_id=side.tenant_id, public_ids=[side.of(run).public_id], **WHO, **given)
        assert (told.verdict == "moved") == accepted, told
        assert len(told.in_flight) == sum(work.status == "running" for work in (*run.works.values(), *run.undos))
        self.told = told
        if not accepted:
            self.unchanged(side)
        return run if accepted else None

    @rule(which=sides, pick=picks, twice=st.booleans(), undo=st.sampled_from([True, True, False]), said=several)
    def cancel(self, which: int, pick: int, twice: bool, undo: bool, said: list[str]) -> None:
        if run := self.control(which, pick, "cancel", cancel_runs, reason="enough", compensate=undo):
            run.end("cancelled", "enough", compensate=undo)
            assert list(self.told.compensates) == [run.of(one).name for one in run.undos]
            self.nobody_claims(run)
            if twice:
                self.sync(self.acting)
                self.ask(run, "cancel", cancel_runs, reason="again")
            if undo:
                self.work(which, pick, said)

    @rule(which=sides, pick=picks, said=several)
    def compensate(self, which: int, pick: int, said: list[str]) -> None:
        if run := self.control(which, pick, "compensate", compensate_runs, reason="undo it"):
            assert list(self.told.compensates) == run.undo()
            self.work(which, pick, said)

    @rule(which=sides, pick=picks)
    def wake(self, which: int, pick: int) -> None:
        if run := self.control(which, pick, "wake", wake_runs, reason="up"):
            run.time_out()
            self.acting.world.plan()

    @rule(which=sides, pick=picks, minutes=st.sampled_from([0, 0, 170]))
    def pause(self, which: int, pick: int, minutes: int) -> None:
        until = database_now() + timedelta(minutes=minutes) if minutes else None
        if run := self.control(which, pick, "pause", pause_runs, reason="wait", until=until):
            run.hold(switch=False, until=(minutes, self.ticks) if minutes else None)
            self.nobody_claims(run)

    def nobody_claims(self, run: Shadow) -> None:
        """The work of a run that was just held or has ended is not handed out, whenever it is due."""
        side = self.acting
        for work in run.works.values():
            mine = side.step_run(run, work).pk
            late = database_now() + timedelta(days=9)
            assert claim_work(tenant_id=side.tenant_id, worker="w", now=late, step_run_id=mine) is None

    def _pause(self, run: Shadow) -> None:
        assert self.ask(run, "pause", pause_runs, reason="wait")
        run.hold(switch=False)

    def _cancel(self, run: Shadow) -> None:
        assert self.ask(run, "cancel", cancel_runs, reason="enough")
        run.end("cancelled", "enough")

    @rule(which=sides, pick=picks)
    def resume(self, which: int, pick: int) -> None:
        if run := self.control(which, pick, "resume", resume_runs, reason="go on"):
            run.resume()
            self.acting.world.plan()

    @rule(which=sides, pick=picks, approved=st.booleans(), actor=st.sampled_from(["ada", "ada", "eve"]))
    def decide(self, which: int, pick: int, approved: bool, actor: str) -> None:
        action, verb = ("approve", approve_runs) if approved else ("reject", reject_runs)
        if run := self.control(which, pick, action, verb, decision=Decision(actor)):
            run.decide(approved)
            self.acting.world.plan()

    @rule(which=sides, pick=picks)
    def replay(self, which: int, pick: int) -> None:
        side = self.act(which)
        ended = [run for run in side.world.runs if run.ended]
        if not ended or len(side.world.runs) >= MOST_RUNS:
            self.idle()
            return
        old = ended[pick % len(ended)]
        public_id = side.of(old).public_id
        shadow = Shadow(side.world, old.document, old.subject, old.k, old.job, old.given["n"], side.world.now)
        self._start(
            side,
            lambda: replay_run(tenant_id=side.tenant_id, public_id=public_id, reason="again", **WHO),
            shadow,
            "",
            None,
        )

    @rule(which=sides, k=st.sampled_from("12"), sticks=st.booleans(), undo=st.booleans())
    def cancel_by_key(self, which: int, k: str, sticks: bool, undo: bool) -> None:
        side = self.act(which)
        if k in side.sticky:
            lift_sticky_cancel(tenant_id=side.tenant_id, public_id=side.sticky.pop(k))
            side.world.sticky.discard(k)
            return
        key, lasts = Key(correlation={"k": k}), timedelta(days=1) if sticks else None
        told = cancel_by_key(
            tenant_id=side.tenant_id, key=key, reason="withdrawn", sticky_for=lasts, compensate=undo, **WHO
        )
        live = [run for run in side.world.runs if run.k == k and not run.ended]
        assert [one.public_id for one in told.verdicts] == [side.of(run).public_id for run in live]
        for run in live:
            run.end("cancelled", "withdrawn", compensate=undo)
        if told.sticky is not None:
            side.sticky[k] = told.sticky.public_id
            side.world.sticky.add(k)

    @rule(which=sides, level=st.sampled_from(["on", "on", "starts_off", "all_off"]))
    def switch(self, which: int, level: str) -> None:
        side = self.act(which)
        switch_definition(tenant_id=side.tenant_id, key="random", level=level, why="trouble", **WHO)
        side.world.level = level

    @rule(which=sides)
    def release(self, which: int) -> None:
        side = self.act(which)
        release_held(tenant_id=side.tenant_id)
        side.world.release()

    @rule(which=sides, back=st.booleans())
    def change_version(self, which: int, back: bool) -> None:
        """The first time the second version is published, and runs stay; then those that can move do."""
        side = self.act(which)
        if side.published == 1:
            side.published = 2
            publish(side.tenant, side.document)
            return
        with tenant_scope(side.tenant_id):  # a look is taken by the true clock, which was not moved
            Run.objects.for_tenant(side.tenant_id).update(updated_at=database_now())
        from_, to = (2, 1) if back else (1, 2)
        plan = plan_move(tenant_id=side.tenant_id, change=Change("random", from_, to)).plan
        told = move_planned(tenant_id=side.tenant_id, plan=plan, reason="better", **WHO).verdicts
        old, new = side.versions[from_ - 1], side.versions[to - 1]
        asked = [run for run in side.world.runs if run.document is old and not run.ended]
        assert [one.public_id for one in told] == [side.of(run).public_id for run in asked]
        for run, verdict in zip(asked, told, strict=True):
            assert (verdict.verdict == "moved") == run.change_version(new), verdict
        side.world.plan()

    @rule(which=sides)
    def prune(self, which: int) -> None:
        """All that ended goes, but for runs whose work is still in a worker's hands."""
        side = self.act(which)
        with tenant_scope(side.tenant_id):
            ended = Run.objects.for_tenant(side.tenant_id).filter(finished_at__isnull=False)
            ended.update(finished_at=database_now() - timedelta(days=100))
        for what in ENDS:
            keep(side.tenant, what)
        prune(side.tenant)
        for run in list(side.world.runs):
            works = [*run.works.values(), *run.undos]
            open_ = any(
                work.status == "running" or (work.undo and work.status in ("owed", "unknown")) for work in works
            )
            if run.ended and not open_:
                side.forget(run)

    # -- what holds -----------------------------------------------------------------------------------------------

    def unchanged(self, side: Side) -> None:
        """What was refused has written nothing."""
        assert side.rows() == side.print

    def sync(self, side: Side) -> None:
        side.print = side.rows()

    @invariant()
    def all_agree(self) -> None:
        if self.ticks == self.agreed:
            return
        self.agreed = self.ticks
        side, other = self.acting, self.sides[self.acting is self.sides[0]]
        assert other.rows() == other.print, "the other tenant noticed"
        self.sync(side)
        for run, started in zip(side.world.runs, side.ids, strict=True):
            found, meant = stored(side, started), modelled(run)
            assert found == meant, {name: (found[name], meant[name]) for name in found if found[name] != meant[name]}
        side.world.let_go()
        taken = side.world.budgets.taken
        digests, kept = side.digests()
        told = [one.as_stored() for one in digests]
        assert kept == told, (kept, told)
        assert side.passes() == sorted((one.key, one.passed, round(one.at[0] / 10)) for one in taken)
        assert list(verify_trace(tenant_id=side.tenant_id)) == []
        if side.world.runs:
            run = side.world.runs[self.ticks % len(side.world.runs)]
            offered = explain_run(tenant_id=side.tenant_id, public_id=side.of(run).public_id).actions
            told = {one.name for one in offered if one.allowed}
            assert told == run.allowed(), (told, run.allowed(), modelled(run))
