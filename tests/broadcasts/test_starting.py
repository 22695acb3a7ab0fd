"""From a draft to runs: nothing before the start, each target once, whoever dies, and nothing after a cancel."""

from datetime import timedelta
from itertools import chain, repeat
from typing import Any

import pytest
from django.utils import timezone

from deliveries.broadcasts import starting, turn
from deliveries.broadcasts.targets import run_key
from deliveries.models import Broadcast, BroadcastChunk
from tenants.limits.kinds import LimitKind
from tenants.scope import tenant_scope
from tenants.services.limits import set_limit
from tests.broadcasts.conftest import HEADLINE, Sender
from tests.journeys import GRACE, drain, paid, publish, start
from workflows.services.sweeping import due_work


def names(count: int) -> list[str]:
    return [f"r{number}" for number in range(count)]


def test_nothing_starts_before_it_is_started_and_then_everybody_once(sender: Sender) -> None:
    made = sender.make(subjects=[*names(603), "r7"], data=HEADLINE, name="Spring")
    assert (made["status"], made["total"], made["skipped"]) == ("draft", 604, {"duplicate": 1})
    assert sender.go_on() == 0
    assert sender.rows() == (1, 2, 0)

    seen = sender.preview(made["id"])
    assert (seen["total"], seen["first"][:2], seen["looked_at"], seen["held_back"]) == (604, ["r0", "r1"], 500, {})
    sender.start(made["id"])
    sender.go_on()

    shown = sender.shown(made["id"])
    assert (shown["status"], shown["started"], shown["passed"]) == ("completed", 603, 604)
    assert shown["sentence"] == "Completed: 603 of 604 started, 1 skipped."
    assert sorted(run.subject for run in sender.runs()) == sorted(names(603))
    assert sender.targets(made["id"], "?outcome=skipped") == [
        {"position": 604, "subject": "r7", "outcome": "skipped", "reason": "duplicate", "run_id": None}
        | {"sentence": "Skipped: the same subject stands before in this broadcast."}
    ]
    [first, again] = sender.targets(made["id"], "?subject=r7")
    assert (first["outcome"], again["reason"]) == ("started", "duplicate")
    run = sender.rest.get(f"/v1/runs/{first['run_id']}/explain").json()
    trace = sender.rest.get(f"/v1/runs/{first['run_id']}/trace").json()
    assert trace["items"][0]["context"]["broadcast"] == made["id"], run
    listed = sender.rest.get(f"/v1/runs?broadcast={made['id']}&limit=200").json()
    assert len(listed["items"]) == 200
    assert listed["next"]


def test_a_worker_that_dies_at_any_moment_neither_loses_nor_doubles(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = sender.make(subjects=names(600), data=HEADLINE)
    sender.start(made["id"])
    begins, saves = starting.start_runs, chain([KeyboardInterrupt, None, KeyboardInterrupt], repeat(None))

    def die(**asked: Any) -> Any:
        done = begins(**asked)
        if (how := next(saves)) is not None:
            raise how
        return done

    monkeypatch.setattr(starting, "start_runs", die)
    for _ in range(3):
        try:
            sender.go_on()
        except KeyboardInterrupt:
            continue

    assert sender.shown(made["id"])["started"] == len(sender.runs()) == 600


def test_a_time_without_an_offset_begins_nothing(sender: Sender) -> None:
    made = sender.make(subjects=["ada"], data=HEADLINE)
    asked = {"token": sender.preview(made["id"])["token"], "at": "2036-12-22T08:00"}

    answer = sender.rest.post(f"/v1/broadcasts/{made['id']}/start", asked)

    [found] = answer.json()["detail"]
    assert (answer.status_code, found["path"], found["code"]) == (400, "/at", "no_time_zone")
    assert sender.shown(made["id"])["status"] == "draft"


def test_what_breaks_is_tried_again_and_given_up_in_the_end(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    made = sender.make(subjects=["ada"], data=HEADLINE)
    sender.start(made["id"])
    monkeypatch.setattr(turn, "MOST_FAILURES", 2)

    def broken(**asked: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(starting, "start_runs", broken)
    sender.go_on()
    once = sender.shown(made["id"])
    sender.change(due_at=timezone.now())
    sender.go_on()

    assert (once["status"], once["note"]) == ("running", "broken")
    assert (sender.shown(made["id"])["status"], sender.shown(made["id"])["failure"]) == ("failed", "ZeroDivisionError")
    assert sender.targets(made["id"])[0]["reason"] == "failed"


def test_nothing_starts_after_the_answer_to_a_cancel(sender: Sender) -> None:
    made = sender.make(subjects=names(100), data=HEADLINE, rate=60)
    sender.start(made["id"])
    sender.change(due_at=timezone.now() - timedelta(seconds=10))
    sender.go_on()
    before = len(sender.runs())

    ended = sender.rest.post(f"/v1/broadcasts/{made['id']}/cancel", {"reason": "wrong list"}).json()
    sender.go_on()

    assert 11 <= before <= 30
    assert len(sender.runs()) == before
    assert (ended["status"], ended["started"], ended["reason"]) == ("cancelled", before, "wrong list")
    assert ended["skipped"] == sender.shown(made["id"])["skipped"] == {"cancelled": 100 - before}
    assert len(sender.targets(made["id"], "?outcome=skipped&limit=100")) == 100 - before
    assert sender.targets(made["id"], "?subject=r99")[0]["reason"] == "cancelled"
    again = sender.rest.post(f"/v1/broadcasts/{made['id']}/cancel", {"reason": "wrong list"})
    assert (again.status_code, again.json()["code"]) == (409, "broadcast_ended")
    with tenant_scope(sender.tenant.pk):
        assert not BroadcastChunk.objects.filter(tenant_id=sender.tenant.pk, sealed__isnull=False).exists()


def test_a_cancel_takes_the_runs_along_when_asked(sender: Sender) -> None:
    made = sender.make(subjects=names(210), data=HEADLINE)
    sender.start(made["id"])
    sender.go_on()
    drain(sender.tenant)
    other = start(sender.tenant, "news", data=HEADLINE)

    asked = {"reason": "wrong list", "runs": True}
    ended = sender.rest.post(f"/v1/broadcasts/{made['id']}/cancel", asked).json()
    sender.go_on()

    assert ended["status"] == "cancelling"
    shown = sender.shown(made["id"])
    assert (shown["status"], shown["cancelled_runs"]) == ("cancelled", 210)
    assert {run.state for run in sender.runs() if run.pk != other} == {"cancelled"}
    assert [run.state for run in sender.runs(id=other)] == ["waiting"]


def test_a_rate_is_kept_also_after_a_pause(sender: Sender) -> None:
    made = sender.make(subjects=names(100), data=HEADLINE, rate=30)
    sender.start(made["id"])

    counts = []
    for late in (0, 0, 10, 3600):
        sender.change(due_at=timezone.now() - timedelta(seconds=late)) if late else None
        sender.go_on()
        counts.append(len(sender.runs()))

    assert counts == [1, 1, 7, 37], "one at once, then one in two seconds, and never more than a minute's at once"
    assert sender.shown(made["id"])["note"] == "rate"


def test_it_waits_while_much_of_the_tenants_own_work_is_due(sender: Sender, settings: Any) -> None:
    settings.BROADCAST_BACKLOG = 2
    publish(sender.tenant, GRACE)
    mine = start(sender.tenant, "dunning", correlation={"invoice_id": "42"})
    start(sender.tenant, "dunning", correlation={"invoice_id": "43"})
    made = sender.make(subjects=names(300), data=HEADLINE)
    sender.start(made["id"])

    sender.go_on()
    stopped = sender.shown(made["id"])
    paid(sender.tenant)
    sender.change(due_at=timezone.now())
    assert ("broadcasts", sender.tenant.pk) in due_work()
    sender.go_on()
    for _ in range(20):  # a turn ends by time, on a busy machine before all are started
        if sender.shown(made["id"])["status"] == "running":
            sender.go_on()

    assert (stopped["started"], stopped["note"]) == (0, "backlog")
    assert "waits until less" in stopped["sentence"]
    assert [run.state for run in sender.runs(id=mine)] == ["completed"], "its signals are routed in between"
    assert sender.shown(made["id"])["status"] == "completed"
    assert {run.state for run in sender.runs(definition_key="news")} == {"waiting"}


def test_a_definition_that_is_off_holds_it_and_one_that_is_gone_ends_it(sender: Sender) -> None:
    made = sender.make(subjects=["ada"], data=HEADLINE)
    sender.start(made["id"])
    sender.rest.put("/v1/definitions/news/switch", {"level": "starts_off", "reason": "incident"})
    sender.go_on()
    held = sender.shown(made["id"])
    sender.rest.put("/v1/definitions/news/switch", {"level": "on", "reason": "over"})
    sender.rest.post("/v1/definitions/news/versions/1/retire")
    sender.change(due_at=timezone.now())
    sender.go_on()

    assert (held["status"], held["note"]) == ("running", "definition_off")
    assert sender.shown(made["id"])["failure"] == "definition_not_found"
    assert sender.runs() == []


def test_one_refused_start_does_not_hold_up_the_others(sender: Sender) -> None:
    made = sender.make(subjects=names(9), data=HEADLINE)
    sender.start(made["id"])
    with tenant_scope(sender.tenant.pk):
        taken = run_key(Broadcast.objects.get(tenant_id=sender.tenant.pk), "r4")
    start(sender.tenant, "news", data={"headline": "Other"}, idempotency_key=taken)
    sender.go_on()

    shown = sender.shown(made["id"])
    assert (shown["status"], shown["started"], shown["skipped"]) == ("completed", 8, {"start_conflict": 1})


def test_two_workers_at_once_start_each_target_once(sender: Sender, together: Any) -> None:
    made = sender.make(subjects=names(600), data=HEADLINE)
    sender.start(made["id"])

    together(*[sender.go_on] * 3)
    sender.go_on()

    assert len(sender.runs()) == sender.shown(made["id"])["started"] == 600


def test_a_start_needs_the_token_of_this_very_draft(sender: Sender) -> None:
    made, other = sender.make(subjects=["ada"], data=HEADLINE), sender.make(subjects=["ada"], data=HEADLINE)
    empty = sender.make()
    foreign = sender.preview(other["id"])["token"]

    for id_, token, code in [
        (made["id"], "", "invalid"),
        (made["id"], "zz.zz", "preview_changed"),
        (made["id"], foreign, "preview_changed"),
        (empty["id"], sender.preview(empty["id"])["token"], "broadcast_empty"),
    ]:
        answer = sender.rest.post(f"/v1/broadcasts/{id_}/start", {"token": token})
        assert answer.json()["code"] == code
    sender.start(made["id"])
    again = sender.rest.post(f"/v1/broadcasts/{made['id']}/start", {"token": foreign})

    assert (again.status_code, again.json()["code"]) == (409, "broadcast_not_draft")
    assert sender.runs() == []


def test_a_limit_of_the_tenant_is_met_and_then_waited_for(sender: Sender) -> None:
    set_limit(tenant_id=sender.tenant.pk, kind=LimitKind.LIVE_RUNS, amount=7, changed_by="test")
    made = sender.make(subjects=names(9), data=HEADLINE)
    sender.start(made["id"])
    sender.go_on()
    full = sender.shown(made["id"])
    one = sender.rest.get("/v1/runs").json()["items"][0]["id"]
    sender.rest.post(f"/v1/runs/{one}/cancel", {"reason": "room"})
    sender.change(due_at=timezone.now())
    sender.go_on()

    assert (full["started"], full["note"], full["skipped"]) == (7, "limit", {})
    assert sender.shown(made["id"])["started"] == len(sender.runs()) == 8
