"""What may happen next to a run, where each leads, and what can be asked for now."""

from collections.abc import Iterator
from typing import Any

from workflows.definitions.document import Step, Target
from workflows.engine.permits import ACTIONS, Standing, why_not
from workflows.explain.explanation import Action, AwaitedApproval, AwaitedSignal, Next, NextOn, Then, Waiting
from workflows.explain.picture import OpenWait, Picture, SeenDigest
from workflows.explain.undoing import hangs_on_unknown, is_undoable, next_compensation
from workflows.retry import RetryPolicy
from workflows.states import TERMINAL, RunState
from workflows.steps.registry import step_kind


def waiting_for(picture: Picture) -> Waiting | None:
    """The open wait with its targets resolved, or None."""
    wait = picture.wait
    if wait is None:
        return None
    signals = tuple(
        AwaitedSignal(rule["name"], rule.get("match"), rule.get("when"), then(picture, rule.get("then")))
        for rule in wait.signals
    )
    on_timeout = then(picture, wait.on_timeout) if wait.due_at is not None else None
    return Waiting(wait.step, wait.visit, wait.opened_at, signals, wait.due_at, on_timeout, _approval(picture, wait))


def _approval(picture: Picture, wait: OpenWait) -> AwaitedApproval | None:
    if not wait.routes:
        return None
    approve, reject = (then(picture, wait.routes[word]) for word in ("approve", "reject"))
    return AwaitedApproval(tuple(wait.actors), approve, reject, wait.remind_at)


def then(picture: Picture, declared: Any) -> Then:
    """Where a target of the current step leads: {step: …} or {state: …, reason: …}."""
    target = Target.parse(declared)
    step = picture.follow(target)
    if step:
        return {"step": step}
    if target.kind == "stop":
        return {"state": "stopped", "reason": target.reason} | ({"compensate": True} if target.compensate else {})
    return {"state": "completed"}


def follows(picture: Picture) -> tuple[Next, ...]:
    """What may happen next, soonest first where times are known. Of an ended run only what is still undone."""
    run = picture.run
    if run.state in TERMINAL:
        return tuple(next_compensation(picture))
    found = [] if picture.is_held else [*_of_state(picture)]
    if run.engine_failures:
        found.append(Next(NextOn.ENGINE, {"step": run.step or _first(picture)}, run.due_at))
    if run.deadline_at is not None:
        found.append(Next(NextOn.DEADLINE, {"state": "expired", "reason": "deadline_passed"}, run.deadline_at))
    return tuple(sorted(found, key=lambda one: (one.at is None, one.at or picture.now)))


def actions(picture: Picture) -> tuple[Action, ...]:
    """What can be asked for: exactly what the services would accept now, and why they would refuse the rest."""
    wait = picture.wait
    ended = picture.run.state in TERMINAL
    # Also of a run that has ended: nothing goes on, but what somebody finds out is noted.
    is_unknown = (picture.work is not None and picture.work.status == "unknown") or (
        ended and hangs_on_unknown(picture)
    )
    standing = Standing(
        picture.run.state,
        wait is not None,
        is_unknown,
        has_approval=wait is not None and bool(wait.routes),
        is_off=picture.is_held,
        irreversible=picture.irreversible,
        unstartable=picture.unstartable,
        is_undoable=ended and is_undoable(picture),
    )
    refusals = ((name, why_not(name, standing)) for name in ACTIONS)
    return tuple(Action(name, not refusal, refusal) for name, refusal in refusals)


def _of_state(picture: Picture) -> Iterator[Next]:
    run = picture.run
    if run.state == RunState.PENDING:
        yield Next(NextOn.START, {"step": _first(picture)}, run.due_at)
    elif run.state == RunState.WAITING:
        yield from _of_wait(picture)
    elif run.state == RunState.ACTIVE:
        yield from _of_work(picture)
    elif run.state == RunState.PAUSED and run.suspended_until is not None:
        yield Next(NextOn.RESUME, {"step": run.step or _first(picture)}, run.suspended_until)


def _of_wait(picture: Picture) -> Iterator[Next]:
    waiting = waiting_for(picture)
    if waiting is None:
        return
    for awaited in waiting.signals:
        yield Next(NextOn.SIGNAL, awaited.then, name=awaited.signal)
    if waiting.approval is not None:
        yield Next(NextOn.DECISION, waiting.approval.on_approve, name="approve")
        yield Next(NextOn.DECISION, waiting.approval.on_reject, name="reject")
        if waiting.approval.remind_at is not None:
            yield Next(NextOn.REMINDER, {"step": waiting.step}, waiting.approval.remind_at)
    if waiting.on_timeout is not None:
        yield Next(NextOn.TIMER, waiting.on_timeout, waiting.due_at)


def _of_work(picture: Picture) -> Iterator[Next]:
    """The next try, and what its outcomes lead to."""
    step, work = picture.version.document.by_key.get(picture.run.step), picture.work
    if step is None or work is None:
        return
    if picture.digest is not None:
        yield from _of_digest(picture, step, picture.digest)
        return
    if work.status == "owed" and step.kind == "external":
        if work.due_at is not None:
            timed_out = step.on_outcome.get("timed_out")
            yield Next(NextOn.TIMER, then(picture, timed_out.as_declared() if timed_out else "next"), work.due_at)
    elif work.status == "owed":
        attempt = {"step": step.key, "attempt": work.attempts_made + 1, "of": most_attempts(step)}
        yield Next(NextOn.ATTEMPT, attempt, work.due_at)
    for word, target in step.on_outcome.items():
        yield Next(NextOn.OUTCOME, then(picture, target.as_declared()), name=word)
    yield Next(NextOn.OUTCOME, then(picture, "next"))


def _of_digest(picture: Picture, step: Step, digest: SeenDigest) -> Iterator[Next]:
    """The digest closes: one goes on with it, the others go where that leads them."""
    leads = digest.leader == picture.run.public_id
    target = step_kind(step.kind).after(step, "collected" if leads else "digested")
    yield Next(NextOn.TIMER, then(picture, target.as_declared() if target else "next"), digest.closes_at)


def most_attempts(step: Step) -> int:
    """How many tries the step's policy allows."""
    return RetryPolicy.parse(step.config.get("retry")).max_attempts


def _first(picture: Picture) -> str:
    return picture.version.document.steps[0].key
