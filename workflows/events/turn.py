"""Sending what one tenant owes to its subscribers: several receivers at a time, so that none waits for a slow one."""

import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import structlog

from chimeway_py.nudges import offer
from chimeway_py.turns import go_on
from workflows.events.claims import SENDING_SECONDS, EventClaim, claim_events, finish_events
from workflows.events.message import Tried, send

log = structlog.get_logger(__name__)

TURN_SECONDS = 1.0
AT_ONCE = 8  # receivers that one worker talks to at a time
LOOK_EVERY = 0.1  # seconds, for new events of others while a receiver takes its time


def events_turn(*, tenant_id: int) -> int:
    """Claim and send until nothing is due or the turn is over; how many tries were made.

    A slow receiver keeps the turn from ending, but not the others' events from being taken up meanwhile.
    """
    ends_at, made = time.monotonic() + TURN_SECONDS, 0
    under_way: dict[Future[list[Tried]], tuple[EventClaim, bool]] = {}
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="events") as threads:
        while True:
            in_time = time.monotonic() < ends_at
            waits_anyway = any(began_in_time for _, began_in_time in under_way.values())
            if (in_time or waits_anyway) and len(under_way) < AT_ONCE:
                claim = claim_events(tenant_id=tenant_id, busy=[one.subscription_id for one, _ in under_way.values()])
                if claim is not None:
                    offer("events", tenant_id)  # another worker may take the next one meanwhile
                    under_way[threads.submit(send_claimed, claim)] = claim, in_time
                    continue
            if not under_way:
                if not in_time:
                    go_on("events", tenant_id)
                return made
            done, _ = wait(under_way, timeout=LOOK_EVERY, return_when=FIRST_COMPLETED)
            made += sum(_finish(under_way.pop(one)[0], one.result()) for one in done)


def send_claimed(claim: EventClaim) -> list[Tried]:
    """Try the claimed events in order; stop at the first that shows that the receiver is unwell or gone."""
    ends_at, tried = time.monotonic() + SENDING_SECONDS, []
    for owed in claim.owed:
        one = send(owed.told, claim.url, claim.secrets)
        tried.append(one)
        if one.is_unwell or one.is_gone or time.monotonic() >= ends_at:
            break
    return tried


def _finish(claim: EventClaim, tried: list[Tried]) -> int:
    finish_events(claim=claim, tried=tried)
    last = tried[-1]
    said = {"tenant_id": claim.tenant_id, "subscription_id": claim.subscription_id, "error": last.called.error}
    log.info("events_sent", tried=len(tried), **said)
    return len(tried)
