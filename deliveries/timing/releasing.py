"""Judging held messages anew when a rule is changed, instead of when the time comes that the old rule said.

Whoever changes a rule leaves a `Release` in the same commit, and a turn works it off in pieces: the messages are due
now, and whoever takes one up judges it by the rules of now, which may hold it once more.

Nothing slips through between a change and a message that is judged at that moment. Whoever is about to hold a message
shares a lock until its commit and reads the rules again under it; whoever changes a rule takes the lock alone before
its own commit. So either the held message is there for the release to see, or it was judged by the new rule.
"""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from chimeway_py.nudges import nudge_after_commit
from chimeway_py.turns import TURN_SECONDS, go_on
from deliveries.models import Delivery, Release
from tenants.scope import tenant_scope
from tenants.sql import execute, fetch, fetch_each
from workflows.models.step_run import StepRunStatus
from workflows.states import Cause, Reason
from workflows.store.batch import RunBatch

AT_ONCE = 200  # messages in one commit
SENDING_RULES, RECIPIENT, PREFERENCES, PROVIDER = "the_sending_rules", "the_recipient", "preferences", "the_provider"
_SHARE = "SELECT pg_advisory_xact_lock_shared(1394, (%s %% 2147483647)::int)"
_ALONE = "SELECT pg_advisory_xact_lock(1394, (%s %% 2147483647)::int)"
_HELD = """
SELECT d.subject, d.id, d.run_id, d.step_run_id FROM deliveries_delivery d
 WHERE d.tenant_id = %(tenant)s AND d.status = 'planned' AND d.held_by <> '' AND d.held_until > clock_timestamp()
   AND (%(subject)s = '' OR d.subject = %(subject)s) AND (d.subject, d.id) > (%(after_subject)s, %(after_id)s)
   AND CASE %(provider)s WHEN '' THEN d.held_by <> 'rate' ELSE d.held_by = 'rate' AND d.provider = %(provider)s END
 ORDER BY d.subject, d.id LIMIT %(limit)s
"""
_WHOSE = """
SELECT DISTINCT d.subject FROM deliveries_delivery d
 WHERE d.tenant_id = %s AND d.subject = ANY(%s) AND d.status = 'planned' AND d.held_by <> '' AND d.held_by <> 'rate'
   AND d.held_until > clock_timestamp()
"""
_HELD_OF_ONE = _HELD.replace("(%(subject)s = '' OR d.subject = %(subject)s)", "d.subject = %(subject)s")
_DUE = """
UPDATE workflows_steprun SET due_at = %s WHERE tenant_id = %s AND id = ANY(%s) AND status = 'owed' AND due_at > %s
"""


def about_to_hold(tenant_id: int) -> None:
    """Call before the rules are read by which a message is held, until the commit that holds it."""
    fetch(_SHARE, [tenant_id])


def judge_held_anew(*, tenant_id: int, changed: str, now: datetime, provider: str = "") -> None:
    """A rule was changed, by the caller's transaction and as its last act: what it holds is due soon after the commit.

    What the rate of a provider holds, or all that rules of the tenant hold.
    """
    fetch(_ALONE, [tenant_id])
    asked = Release(tenant_id=tenant_id, changed=changed, provider=provider, asked_at=now)
    _ask([asked] if _held(asked, 1) else [])


def judge_theirs_anew(*, tenant_id: int, changed: str, now: datetime, subjects: Sequence[str]) -> None:
    """The same, of rules that are about these subjects. One trip to the server, however many they are."""
    if subjects:
        _, held = fetch_each((_ALONE, [tenant_id]), (_WHOSE, [tenant_id, sorted(subjects)]))
        _ask([Release(tenant_id=tenant_id, changed=changed, subject=one, asked_at=now) for (one,) in held])


def _ask(releases: Sequence[Release]) -> None:
    """Where nothing is held, nothing is left behind."""
    if releases:
        Release.objects.bulk_create(releases)
        nudge_after_commit("releases", releases[0].tenant_id)


def release_turn(*, tenant_id: int) -> int:
    """Work off the tenant's releases until none is left or the turn is over; how many messages were let go."""
    ends_at = time.monotonic() + TURN_SECONDS
    total = 0
    while (released := _release_some(tenant_id)) is not None:
        total += released
        if time.monotonic() >= ends_at:
            go_on("releases", tenant_id)
            break
    return total


def _release_some(tenant_id: int) -> int | None:
    """One commit: some messages of the oldest release, which is over when there are no more. None without any."""
    with tenant_scope(tenant_id):
        waiting = Release.objects.filter(tenant_id=tenant_id).order_by("id")
        release = waiting.select_for_update(skip_locked=True).first()
        if release is None:
            return None
        held = _held(release, AT_ONCE)
        if held:
            _let_go(release, held)
            release.after_subject, release.after_id = held[-1][:2]
            release.save(update_fields=["after_subject", "after_id"])
        if len(held) < AT_ONCE:
            release.delete()
        return len(held)


def _held(release: Release, limit: int) -> list[tuple[Any, ...]]:
    names = ("subject", "provider", "after_subject", "after_id")
    asked = {"tenant": release.tenant_id, "limit": limit} | {name: getattr(release, name) for name in names}
    return list(fetch(_HELD_OF_ONE if release.subject else _HELD, asked))


def _let_go(release: Release, held: list[tuple[Any, ...]]) -> None:
    """Locks runs first, as everybody who finishes work does; then looks whether a message is still held."""
    tenant_id = release.tenant_id
    batch = RunBatch.lock(tenant_id, {row[2] for row in held})
    rows = Delivery.objects.for_tenant(tenant_id).filter(id__in=[row[1] for row in held])
    found = rows.select_related("step_run").order_by("id").select_for_update(of=["self"], no_key=True)
    still = [one for one in found if one.status == "planned" and one.held_until and one.held_until > batch.now]
    for one in still:
        _note(batch, one, release.changed)
        one.held_until, one.turn_at = batch.now, None
    Delivery.objects.bulk_update(still, ["held_until", "turn_at"])
    execute(_DUE, [batch.now, tenant_id, [one.step_run_id for one in still], batch.now])
    batch.flush()
    nudge_after_commit("work", tenant_id)


def _note(batch: RunBatch, one: Delivery, changed: str) -> None:
    """Tell the run who held its message until when. A resend is no work of the run, and it is not told."""
    work = one.step_run
    assert one.held_until is not None
    if work.resend or work.status not in (StepRunStatus.OWED, StepRunStatus.RUNNING):
        return
    run = batch.runs[one.run_id]
    if run.facts.is_finished and not work.undo:
        return
    context: dict[str, Any] = {
        "delivery": str(one.public_id),
        "changed": changed,
        "held_by": one.held_by,
        "decided_by": one.decided_by,
        "rule": one.decided_rule,
        "until": one.held_until.isoformat(),
    }
    if work.undo:
        context |= {"compensates": one.step_key, "visit": one.visit}
    batch.note(one.run_id, Cause.API, work.key, Reason.WORK_RELEASED, context)
