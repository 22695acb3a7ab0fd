"""The closed list of event types, and which one a move of a run is."""

from collections.abc import Mapping

from django.db.models import TextChoices

from workflows.states import MOVES, TERMINAL, RunState


class EventType(TextChoices):
    """What can be told. `ping` is only ever sent to the subscription that asked for it."""

    RUN_CREATED = "run.created", "a run exists; it has not begun"
    RUN_STARTED = "run.started", "the engine took the run up for the first time"
    RUN_WAITING = "run.waiting", "it came to a wait"
    RUN_CONTINUED = "run.continued", "its wait ended and it goes on"
    RUN_PAUSED = "run.paused", "somebody holds it"
    RUN_RESUMED = "run.resumed", "it is not held any more"
    RUN_COMPLETED = "run.completed", "it went through, or a rule completed it"
    RUN_STOPPED = "run.stopped", "a rule of the definition ended it"
    RUN_CANCELLED = "run.cancelled", "a person or a program ended it"
    RUN_FAILED = "run.failed", "it could not go on"
    RUN_EXPIRED = "run.expired", "its deadline passed"
    RUN_NOTED = "run.noted", "its trace tells something and the run stays in its state, such as a settled step"
    DELIVERY_DELIVERED = "delivery.delivered", "the message was taken"
    DELIVERY_SUPPRESSED = "delivery.suppressed", "the message was not sent, by a rule"
    DELIVERY_TEMPORARY_FAILURE = "delivery.temporary_failure", "a try failed, and the definition goes another way"
    DELIVERY_RETRIES_EXHAUSTED = "delivery.retries_exhausted", "the last try failed"
    DELIVERY_PERMANENT_FAILURE = "delivery.permanent_failure", "no try can succeed"
    DELIVERY_BOUNCED = "delivery.bounced", "the message came back"
    DELIVERY_UNKNOWN = "delivery.unknown", "nobody can know whether it was taken"
    DELIVERY_CANCELLED = "delivery.cancelled", "its run ended before it was sent"
    BROADCAST_COMPLETED = "broadcast.completed", "a broadcast has started a run for every target that it could"
    BROADCAST_CANCELLED = "broadcast.cancelled", "a broadcast was cancelled, and so were its runs if that was asked"
    BROADCAST_FAILED = "broadcast.failed", "a broadcast could not go on"
    ENDPOINT_DISABLED = "endpoint.disabled", "an endpoint was gone or failed for five days, and was disabled"
    SUBSCRIPTION_DISABLED = "subscription.disabled", "another subscription of yours was disabled"
    PING = "ping", "you asked for a test"


SUBSCRIBABLE = tuple(str(type_) for type_ in EventType if type_ != EventType.PING)


def run_event_type(from_state: str, to_state: str) -> EventType:
    """The type of one allowed move of a run."""
    if from_state == to_state:
        return EventType.RUN_NOTED
    if not from_state:
        return EventType.RUN_CREATED
    if from_state == RunState.PAUSED and to_state not in TERMINAL:
        return EventType.RUN_RESUMED
    if to_state == RunState.ACTIVE:
        return EventType.RUN_STARTED if from_state == RunState.PENDING else EventType.RUN_CONTINUED
    return EventType(f"run.{to_state}")


def by_move() -> Mapping[tuple[str, str], str]:
    """The type of every allowed move, by the states at its ends."""
    moves = [(start, end) for start, ends in MOVES.items() for end in ends]
    moves += [(state, state) for state in TERMINAL]  # how an ended run is undone
    return {(str(start), str(end)): str(run_event_type(start, end)) for start, end in moves}
