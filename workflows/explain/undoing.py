"""How an ended run is undone: which compensations there are, how far they have come, and which is next."""

from collections.abc import Iterator

from workflows.explain.explanation import Compensation, Next, NextOn
from workflows.explain.picture import Picture
from workflows.explain.wording import instant, listed, outcome, quoted
from workflows.retry import RetryPolicy
from workflows.store.visits import Visit, is_to_be_undone, undoable

ENDED = frozenset({"succeeded", "cancelled"})


def compensations(picture: Picture) -> tuple[Compensation, ...]:
    """Every compensation of the run, in the order of undoing."""
    return tuple(
        Compensation(one.step, one.visit, one.status, one.outcome, one.attempts_made, one.due_at)
        for one in _undoing(picture)
    )


def next_compensation(picture: Picture) -> Iterator[Next]:
    """The next try at undoing, if one is to come."""
    for one in _undoing(picture):
        if one.is_under_way and not picture.is_switched_off:
            number = one.attempts_made + (one.status == "owed")
            attempt = {"step": one.step, "attempt": number, "of": max(_most(picture, one), number)}
            yield Next(NextOn.COMPENSATION, attempt, one.due_at, one.step)


def is_undoable(picture: Picture) -> bool:
    """Whether asking for compensation would make something owed."""
    return bool(undoable(picture.version.document, picture.visits))


def hangs_on_unknown(picture: Picture) -> bool:
    """Whether somebody has to settle a compensation, or the visit that would have to be undone."""
    return any(one.status == "unknown" or one in _doubtful(picture) for one in _undoing(picture))


def undoing(picture: Picture) -> list[str]:
    """What is told of it after the sentence of the end."""
    owed = _undoing(picture)
    if not owed:
        return list(_stuck(picture)) if is_to_be_undone(picture.run.state, picture.run.status_context) else []
    done = sum(one.status in ENDED for one in owed)
    if done == len(owed):
        return [f"Undone: {done} of {len(owed)}.", *_stuck(picture)]
    return [f"Undoing: {done} of {len(owed)} done{_coming(picture)}.", *_stuck(picture)]


def _coming(picture: Picture) -> str:
    for one in _undoing(picture):
        if one.status != "running" and picture.is_switched_off:
            continue
        if one.status == "running":
            return f", attempt {one.attempts_made} at undoing {quoted(one.step)} is in flight"
        if one.is_under_way and one.due_at is not None:
            at = f"at {instant(one.due_at, picture.now)}" if one.due_at > picture.now else "now"
            return f", next {quoted(one.step)} {at}"
    if picture.is_switched_off:
        return "; nothing is sent until the definition is switched on again"
    running = [one for one in picture.visits if not one.undo and one.status == "running"]
    return f"; {quoted(running[0].step)} is in flight and comes first if it takes effect" if running else ""


def _stuck(picture: Picture) -> Iterator[str]:
    owed = _undoing(picture)
    if failed := [f"{quoted(one.step)} ({outcome(one.outcome)})" for one in owed if one.status == "failed"]:
        if picture.is_data_gone:
            yield f"Undoing failed for {listed(failed)}: what the run worked with was erased or is not kept any more."
        else:
            yield f"Undoing failed for {listed(failed)}: it is tried again only when somebody asks for it."
    if unknown := [quoted(one.step) for one in owed if one.status == "unknown"]:
        yield f"Nobody can tell whether {listed(unknown)} was undone; somebody has to settle it."
    if doubtful := [quoted(one.step) for one in _doubtful(picture)]:
        yield f"Whether {listed(doubtful)} took effect nobody knows; it is undone only if somebody settles that it did."
    if unseen := [quoted(one.step) for one in _unseen(picture)]:
        yield f"Nobody saw whether {listed(unseen)} took effect; what may have is undone all the same."
    if expected := [quoted(one.step) for one in _expected(picture)]:
        yield f"If {listed(expected)} is yet observed to succeed, it is undone as well."


def _undoing(picture: Picture) -> list[Visit]:
    return sorted((one for one in picture.visits if one.undo), key=lambda one: one.undo)


def _doubtful(picture: Picture) -> list[Visit]:
    """Owed compensations that wait until somebody settles whether the visit took effect."""
    document = picture.version.document
    waiting = {one.place for one in picture.visits if not one.undo and one.waits_for_word(document)}
    return [one for one in _undoing(picture) if one.status == "owed" and one.place in waiting]


def _unseen(picture: Picture) -> list[Visit]:
    """Visits that are undone although nobody saw them succeed."""
    owed = {one.place for one in _undoing(picture)} - {one.place for one in _doubtful(picture)}
    return [one for one in picture.visits if not one.undo and one.may_have and one.place in owed]


def _expected(picture: Picture) -> list[Visit]:
    """Visits that were given up when the run ended, while others still work at what they wait for."""
    document = picture.version.document
    undone = {one.place for one in _undoing(picture)}
    given_up = (one for one in picture.visits if not one.undo and one.status == "cancelled" and not one.acts)
    return [one for one in given_up if one.step in document.compensating and one.place not in undone]


def _most(picture: Picture, one: Visit) -> int:
    work = picture.version.document.by_key[one.step].work(one.undo)
    return RetryPolicy.parse(work.config.get("retry")).max_attempts
