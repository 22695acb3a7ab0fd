"""Caps: so many and no more, whoever sends at once; what becomes of one more; and places that are given back."""

from collections.abc import Callable
from datetime import timedelta
from threading import Thread, current_thread
from typing import Any

import pytest
from django.db import connections
from django.db.models import F
from rest_framework.test import APIClient

from chimeway_py.embedded.mailbox import Mailbox
from chimeway_py.embedded.postgres import Postgres
from deliveries.admin.deliveries import joined_section
from deliveries.gate import may_go
from deliveries.models import Delivery, SendingRules
from deliveries.recipients.why import why
from deliveries.services import perform as performing
from deliveries.services.settle import resolve_delivery
from tenants.models import Tenant
from tenants.scope import database_now
from tests.deliveries.conftest import Journey
from tests.deliveries.doubles import HangsUp
from tests.deliveries.test_quiet_hours import let_time_pass
from tests.deliveries.test_reports import twilio
from tests.journeys import rows_of
from tests.racing import wait_until_blocked
from workflows.explain import explain_run
from workflows.models import Run, StepRun
from workflows.services.control import cancel_runs
from workflows.services.turn import engine_turn, work_turn
from workflows.services.work import claim_work, finish_work, perform
from workflows.states import Cause
from workflows.verify import verify_trace

HELLO = {"hello": {"subject": "Hello", "text": "{{ coalesced.count }} more"}}
MAIL = {"channel": "email", "template": "hello", "to": "data.email"}


def cap(rest: APIClient, limit: int, then: str, **more: Any) -> None:
    """Let the tenant have one cap on mails."""
    one = {"name": "mails", "channel": "email", "limit": limit, "per": "PT1H", "then": then, **more}
    assert rest.put("/v1/sending-rules", {"caps": [one]}).status_code == 200


def statuses(journey: Journey) -> dict[str, int]:
    """How many deliveries of the tenant stand where."""
    rows = Delivery.objects.filter(tenant_id=journey.tenant.pk)
    found = journey.read(lambda: [(one.status, one.held_by, one.error) for one in rows])
    return {" ".join(filter(None, one)): found.count(one) for one in found}


def age(journey: Journey, minutes: int) -> None:
    """As though all that was sent had been sent so much earlier, and what is held were due."""

    def shift() -> None:
        sent = Delivery.objects.filter(tenant_id=journey.tenant.pk, counted_at__isnull=False)
        for one in sent:
            Delivery.objects.filter(tenant_id=one.tenant_id, id=one.pk).update(
                counted_at=one.counted_at - timedelta(minutes=minutes)
            )

    journey.read(shift)


def test_one_more_is_delayed_until_there_is_a_place(
    rest: APIClient, journey: Journey, tenant: Tenant, smtp_sink: Mailbox
) -> None:
    cap(rest, 2, "delay")
    journey.publish(MAIL, templates=HELLO)
    runs = [journey.start("anna", email="delayed@example.com") for _ in range(3)]

    journey.work()

    third = journey.delivery(runs[2])
    first = journey.delivery(runs[0])
    told = explain_run(tenant_id=tenant.pk, public_id=runs[2].public_id)
    assert len(smtp_sink.to("delayed@example.com")) == 2
    assert (third.status, third.held_by, third.decided_rule) == ("planned", "cap", "cap mails: 2 per PT1H")
    assert first.counted_at is not None
    assert third.held_until == first.counted_at + timedelta(hours=1)
    assert "by the tenant's default: cap mails: 2 per PT1H" in told.sentence

    age(journey, 61)
    let_time_pass(journey, runs[2])
    journey.work()
    assert journey.delivery(runs[2]).status == "delivered"


def test_one_more_is_dropped_where_the_cap_says_so(rest: APIClient, journey: Journey, smtp_sink: Mailbox) -> None:
    cap(rest, 1, "drop")
    journey.publish(MAIL, templates=HELLO)
    runs = [journey.start("anna", email="dropped@example.com") for _ in range(3)]

    journey.work()

    assert statuses(journey) == {"delivered": 1, "suppressed cap": 2}
    assert journey.run(runs[2]).state == "completed"


def test_more_are_joined_into_one_that_waits(rest: APIClient, journey: Journey, smtp_sink: Mailbox) -> None:
    cap(rest, 1, "coalesce")
    journey.publish(MAIL, templates=HELLO)
    runs = [journey.start("anna", email="joined@example.com") for _ in range(4)]
    journey.work()
    assert statuses(journey) == {"delivered": 1, "planned cap": 1, "suppressed coalesced": 2}

    age(journey, 61)
    let_time_pass(journey, runs[1])
    journey.work()

    leader = journey.delivery(runs[1])
    assert [one.coalesced_into for one in map(journey.delivery, runs[2:])] == [leader.public_id] * 2
    assert [mail.get_payload().strip() for mail in smtp_sink.to("joined@example.com")] == ["0 more", "2 more"]
    shown = rest.get(f"/v1/deliveries/{journey.delivery(runs[3]).public_id}").json()
    assert shown["coalesced_into"] == str(leader.public_id)
    assert len(journey.read(lambda: joined_section(leader).rows)) == 2


def test_whoever_joins_at_this_very_moment_is_counted_or_waits_for_itself(
    rest: APIClient, journey: Journey, smtp_sink: Mailbox, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One takes the cap for full still, when the message that waits has counted and its place becomes free."""
    cap(rest, 1, "coalesce")
    journey.publish(MAIL, templates=HELLO)
    runs = [journey.start("anna", email="moment@example.com") for _ in range(2)]
    journey.work()
    let_time_pass(journey, runs[1])
    claim = claim_work(tenant_id=journey.tenant.pk, worker="w")
    assert claim is not None

    def join() -> None:
        try:
            runs.append(journey.start("anna", email="moment@example.com"))
            work_turn(tenant_id=journey.tenant.pk)
        finally:
            connections.close_all()

    late = Thread(target=join)

    def judged(*asked: Any, **how: Any) -> Any:
        if current_thread() is not late and not late.ident:
            late.start()
            wait_until_blocked(postgres, unless=lambda: not late.is_alive())
            Delivery.objects.filter(tenant_id=journey.tenant.pk).update(
                counted_at=F("counted_at") - timedelta(minutes=61)
            )
        return may_go(*asked, **how)

    monkeypatch.setattr(performing, "may_go", judged)
    finish_work(claim=claim, outcome=perform(claim))
    late.join(60)

    leader = journey.delivery(runs[1])
    told = sum(journey.delivery(run).coalesced_into == leader.public_id for run in runs)
    assert leader.status == "delivered"
    assert [mail.get_payload().strip() for mail in smtp_sink.to("moment@example.com")] == ["0 more", f"{told} more"]
    assert len(runs) == 3


def test_a_message_that_is_tried_again_stands_for_as_many_as_before(
    rest: APIClient, journey: Journey, smtp_sink: Mailbox, settings: Any
) -> None:
    cap(rest, 1, "coalesce")
    journey.publish(MAIL, templates=HELLO)
    runs = [journey.start("anna", email="again@example.com") for _ in range(4)]
    journey.work()
    age(journey, 61)

    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1  # nobody listens there
    let_time_pass(journey, runs[1])
    journey.work()
    settings.EMAIL_PORT = port
    let_time_pass(journey, runs[1])
    journey.work()

    assert [outcome for _, outcome, _ in journey.attempts(runs[1])] == ["held", "temporary_failure", "delivered"]
    assert [mail.get_payload().strip() for mail in smtp_sink.to("again@example.com")] == ["0 more", "2 more"]


def test_caps_are_of_one_recipient_one_channel_and_one_category(rest: APIClient, journey: Journey) -> None:
    rest.put("/v1/categories/news", {})
    rest.put("/v1/categories/bills", {})
    misspelt = {"name": "mails", "channel": "email", "limit": 1, "per": "PT1H", "then": "drop", "category": "nwes"}
    refused = rest.put("/v1/sending-rules", {"caps": [misspelt]})
    assert (refused.status_code, refused.json()["detail"]) == (
        400,
        [{"path": "/caps/0/category", "code": "unknown_category", "message": "One of bills, news."}],
    )
    assert rest.get("/v1/sending-rules").json()["caps"] == []
    cap(rest, 1, "drop", category="news")
    journey.publish(MAIL | {"category": "news"}, MAIL | {"category": "bills"}, MAIL, templates=HELLO)

    for subject in ("anna", "eve"):
        for _ in range(2):
            journey.start(subject, email=f"{subject}-caps@example.com")
    for _ in range(4):
        journey.work()

    assert statuses(journey) == {"delivered": 10, "suppressed cap": 2}


def test_a_step_may_override_the_caps(rest: APIClient, journey: Journey, smtp_sink: Mailbox) -> None:
    cap(rest, 1, "drop")
    journey.publish(MAIL | {"caps": "override"}, templates=HELLO)

    for _ in range(3):
        journey.start("anna", email="overridden@example.com")
    journey.work()

    assert statuses(journey) == {"delivered": 3}


def test_what_did_not_go_out_gives_its_place_back(rest: APIClient, journey: Journey, smtp_sink: Mailbox) -> None:
    cap(rest, 1, "drop")
    journey.publish(MAIL, templates=HELLO)
    smtp_sink.answer("refused@example.com", "550 5.1.1 nobody")
    refused = journey.start("anna", email="refused@example.com")
    journey.work()

    journey.start("anna", email="placed@example.com")
    journey.work()

    assert journey.delivery(refused).status == "permanent_failure"
    assert statuses(journey) == {"permanent_failure smtp 550 5.1.1": 1, "delivered": 1}


def test_what_may_have_been_taken_keeps_its_place(
    rest: APIClient, journey: Journey, tenant: Tenant, settings: Any
) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    cap(rest, 1, "drop", channel="sms")
    sms = {"channel": "sms", "template": "hello", "to": {"const": "+4366012345678"}}
    journey.publish(sms | {"retry": {"max_attempts": 1}}, templates=HELLO)
    with HangsUp() as dropping:
        twilio(tenant, dropping.url)
        for _ in range(2):
            journey.start("anna")
            journey.work()

    assert len(dropping.requests) == 1
    assert statuses(journey) == {
        "retries_exhausted network RemoteProtocolError": 1,
        "suppressed cap": 1,
    }


@pytest.mark.parametrize("then", ["delay", "coalesce", "drop"])
def test_eight_workers_at_once_send_no_more_than_may(
    then: str, rest: APIClient, journey: Journey, together: Callable[..., list[Any]], smtp_sink: Mailbox
) -> None:
    cap(rest, 3, then)
    journey.publish(MAIL, templates=HELLO)
    for _ in range(24):
        journey.start("anna", email=f"crowd-{then}@example.com")

    together(*[lambda: work_turn(tenant_id=journey.tenant.pk)] * 8)
    while engine_turn(tenant_id=journey.tenant.pk) + work_turn(tenant_id=journey.tenant.pk):
        pass  # a turn is short: on a busy machine eight of them are not enough for all

    kept_back = {"delay": {"planned cap": 21}, "drop": {"suppressed cap": 21}}
    joined = {"planned cap": 1, "suppressed coalesced": 20}
    assert statuses(journey) == {"delivered": 3, **kept_back.get(then, joined)}
    assert len(smtp_sink.to(f"crowd-{then}@example.com")) == 3


def test_the_window_slides(rest: APIClient, journey: Journey, smtp_sink: Mailbox) -> None:
    """In no hour more than two, wherever it begins."""
    cap(rest, 2, "drop")
    journey.publish(MAIL, templates=HELLO)
    sent = []
    for _ in range(4):
        run = journey.start("anna", email="slides@example.com")
        journey.work()
        sent.append(journey.delivery(run).status)
        age(journey, 25)

    assert sent == ["delivered", "delivered", "suppressed", "delivered"]


BAD = [
    ({"caps": [{"name": "a", "channel": "in_app", "limit": 1, "per": "P1D", "then": "drop"}]}, "/caps/0/channel"),
    ({"caps": [{"name": "a", "channel": "email", "limit": 0, "per": "P1D", "then": "drop"}]}, "/caps/0/limit"),
    ({"caps": [{"name": "a", "channel": "email", "limit": True, "per": "P1D", "then": "drop"}]}, "/caps/0/limit"),
    ({"caps": [{"name": "a", "channel": "email", "limit": 1, "per": "a day", "then": "drop"}]}, "/caps/0/per"),
    ({"caps": [{"name": "a", "channel": "email", "limit": 1, "per": "P32D", "then": "drop"}]}, "/caps/0/per"),
    ({"caps": [{"name": "a", "channel": "email", "limit": 1, "per": "P1D", "then": "lose"}]}, "/caps/0/then"),
    ({"caps": [{"name": "A b", "channel": "email", "limit": 1, "per": "P1D", "then": "drop"}]}, "/caps/0/name"),
    ({"caps": [{"name": [[]], "channel": "email", "limit": 1, "per": "P1D", "then": "drop"}]}, "/caps/0/name"),
    ({"caps": [{"name": "a", "channel": "email", "limit": 1, "per": "P1D", "then": "drop", "x": 1}]}, "/caps/0/x"),
    ({"caps": [{"name": "a", "channel": "email", "limit": 1, "per": "P1D", "then": "drop"}] * 2}, "/caps/1/name"),
    ({"caps": {}}, "/caps"),
    ({"cap": []}, "/cap"),
]


@pytest.mark.parametrize(("body", "path"), BAD)
def test_a_bad_cap_is_named_and_nothing_is_written(
    body: dict[str, Any], path: str, rest: APIClient, tenant: Tenant
) -> None:
    answer = rest.put("/v1/sending-rules", body)

    assert (answer.status_code, answer.json()["detail"][0]["path"]) == (400, path)
    assert rows_of(tenant, (SendingRules,)) == [0]


def test_the_database_clock_decides(rest: APIClient, journey: Journey, smtp_sink: Mailbox) -> None:
    cap(rest, 1, "delay")
    journey.publish(MAIL, templates=HELLO)
    before = database_now()
    run = journey.start("anna", email="clock@example.com")
    journey.work()

    counted = journey.delivery(run).counted_at
    assert counted is not None
    assert before <= counted <= database_now()


# -- a message that others were joined to, and whose run ends ----------------------------------------------------------

REST = {"key": "rest", "kind": "wait", "for": "P1D"}
BY: dict[str, Any] = {"cause": Cause.API, "cause_ref": "test", "reason": "no longer needed"}


def end(journey: Journey, run: Run) -> None:
    cancel_runs(tenant_id=journey.tenant.pk, public_ids=[run.public_id], **BY)


def joined(rest: APIClient, journey: Journey, address: str, *more: dict[str, Any]) -> list[Run]:
    """Runs of which the first has sent its mail, the second waits for its place, and the others joined that."""
    cap(rest, 1, "coalesce")
    journey.publish(MAIL, *more, templates=HELLO)
    runs = [journey.start("anna", email=address) for _ in range(4)]
    journey.work()
    assert statuses(journey) == {"delivered": 1, "planned cap": 1, "suppressed coalesced": 2}
    return runs


def texts(smtp_sink: Mailbox, address: str) -> list[str]:
    return [mail.get_payload().strip() for mail in smtp_sink.to(address)]


def sends(journey: Journey, *runs: Run) -> None:
    """As though the time had come, the workers take up what is due."""
    age(journey, 61)
    for run in runs:
        let_time_pass(journey, run)
    for _ in range(4):
        journey.work()


def test_when_the_run_of_the_one_that_waits_ends_the_next_takes_its_place(
    rest: APIClient, journey: Journey, smtp_sink: Mailbox
) -> None:
    runs = joined(rest, journey, "capped-next@example.com")
    leader = journey.delivery(runs[1])

    end(journey, runs[1])

    told, mine = journey.deliveries(runs[2])
    assert (told.status, told.error, told.coalesced_into) == ("suppressed", "coalesced", mine.public_id)
    assert (mine.status, mine.held_by, mine.held_until) == ("planned", "cap", leader.held_until)
    assert (mine.resend_of_id, mine.stands_in_for) == (told.pk, leader.public_id)
    assert journey.delivery(runs[3]).coalesced_into == mine.public_id
    shown = rest.get(f"/v1/deliveries/{mine.public_id}").json()
    assert (shown["stands_in_for"], shown["held_by"]) == (str(leader.public_id), "cap")
    journey.work()
    assert texts(smtp_sink, "capped-next@example.com") == ["0 more"]
    sends(journey, runs[2])
    assert texts(smtp_sink, "capped-next@example.com") == ["0 more", "1 more"]
    assert journey.run(runs[2]).state == "completed"


def test_a_run_that_ended_otherwise_than_completed_takes_no_place(
    rest: APIClient, journey: Journey, smtp_sink: Mailbox
) -> None:
    runs = joined(rest, journey, "capped-other@example.com", REST)
    end(journey, runs[2])

    end(journey, runs[1])

    assert len(journey.deliveries(runs[2])) == 1
    mine = journey.deliveries(runs[3])[1]
    assert [one.coalesced_into for one in journey.deliveries(runs[2])] == [mine.public_id]
    sends(journey, runs[3])
    assert texts(smtp_sink, "capped-other@example.com") == ["0 more", "1 more"]


def test_the_place_is_handed_on_again(rest: APIClient, journey: Journey, smtp_sink: Mailbox) -> None:
    runs = joined(rest, journey, "capped-again@example.com", REST)
    end(journey, runs[1])
    end(journey, runs[2])

    sends(journey, runs[2])
    assert [one.error for one in journey.deliveries(runs[2])] == ["coalesced", "run_ended"]
    assert texts(smtp_sink, "capped-again@example.com") == ["0 more"]
    sends(journey, runs[3])

    assert texts(smtp_sink, "capped-again@example.com") == ["0 more", "1 more"]


def test_in_a_workers_hands_it_is_handed_on_as_well(rest: APIClient, journey: Journey, smtp_sink: Mailbox) -> None:
    runs = joined(rest, journey, "capped-hands@example.com", REST)
    age(journey, 61)
    let_time_pass(journey, runs[1])
    claim = claim_work(tenant_id=journey.tenant.pk, worker="w")
    assert claim is not None
    end(journey, runs[1])

    finish_work(claim=claim, outcome=perform(claim))

    sends(journey, runs[2])
    assert texts(smtp_sink, "capped-hands@example.com") == ["0 more", "1 more"]


def test_who_joins_while_the_run_ends_is_not_lost(
    rest: APIClient, journey: Journey, together: Callable[..., list[Any]], smtp_sink: Mailbox
) -> None:
    cap(rest, 1, "coalesce")
    journey.publish(MAIL, REST, templates=HELLO)
    for number in range(10):
        address = f"capped-race{number}@example.com"
        runs = [journey.start(f"anna{number}", email=address) for _ in range(2)]
        journey.work()
        late = journey.start(f"anna{number}", email=address)

        calls = [lambda run=runs[1]: end(journey, run), lambda: work_turn(tenant_id=journey.tenant.pk)]
        assert not [one for one in together(*(calls if number % 2 else calls[::-1])) if isinstance(one, Exception)]

        journey.work()
        [waits] = [one for one in journey.deliveries(late) if one.status == "planned"]
        assert waits.held_by == "cap"
    assert list(verify_trace(tenant_id=journey.tenant.pk)) == []


WORD = {"hello": {"subject": "Hello", "text": "{{ data.word }}, {{ coalesced.count }} more"}}
REFUSED = {"rules": [{"allowed": False, "channel": "email", "when": {"path": "data.word", "eq": "no"}}]}


def held_of(rest: APIClient, journey: Journey, *words: dict[str, Any], **step: Any) -> list[Run]:
    """Runs of which the first has sent its mail, the second waits for its place, and the others joined that."""
    cap(rest, 1, "coalesce")
    journey.publish(MAIL | step, templates=WORD)
    address = f"{journey.key}@example.com"
    runs = [journey.start("anna", email=address, **data) for data in ({"word": "first"}, *words)]
    journey.work()
    assert statuses(journey)["planned cap"] == 1
    return runs


@pytest.mark.parametrize(
    ("bad", "ended"),
    [({}, ("permanent_failure", "template: undefined variable")), ({"word": "no"}, ("suppressed", "preference"))],
)
def test_when_the_one_that_waits_fails_or_is_refused_the_next_goes_out(
    bad: dict[str, Any], ended: tuple[str, str], rest: APIClient, journey: Journey, smtp_sink: Mailbox
) -> None:
    runs = held_of(rest, journey, bad, bad, {"word": "third"}, {"word": "fourth"})
    rest.put("/v1/recipients/anna/preferences", REFUSED)

    sends(journey, *runs[1:])

    led, followed, third, fourth = map(journey.deliveries, runs[1:])
    assert [(one.status, one.error[: len(ended[1])]) for one in (led[0], followed[1])] == [ended] * 2
    assert [(one.status, one.stands_in_for) for one in third] == [
        ("suppressed", None),
        ("delivered", followed[1].public_id if bad == {} else led[0].public_id),
    ]
    assert [one.coalesced_into for one in fourth] == [third[1].public_id]
    said = texts(smtp_sink, f"{journey.key}@example.com")
    assert [one.partition(",")[0] for one in said] == ["first", "third"]
    assert why(third[1], database_now()).endswith("the message that it was joined to, which did not go out.")
    assert list(verify_trace(tenant_id=journey.tenant.pk)) == []


def test_of_those_that_all_fail_each_has_its_turn_once(rest: APIClient, journey: Journey, smtp_sink: Mailbox) -> None:
    runs = held_of(rest, journey, {}, {}, {})

    for _ in range(3):
        sends(journey, *runs[1:])

    assert [len(journey.deliveries(run)) for run in runs] == [1, 1, 2, 2]
    assert [journey.deliveries(run)[-1].status for run in runs] == ["delivered", *["permanent_failure"] * 3]


def test_what_may_have_arrived_is_not_handed_on(rest: APIClient, journey: Journey, smtp_sink: Mailbox) -> None:
    runs = held_of(rest, journey, {}, {"word": "second"})
    doubted = StepRun.objects.for_tenant(journey.tenant.pk).filter(run_id=runs[1].pk)
    journey.read(lambda: doubted.update(maybe_done=True))

    sends(journey, *runs[1:])

    assert journey.delivery(runs[1]).status == "permanent_failure"
    assert journey.delivery(runs[2]).coalesced_into == journey.delivery(runs[1]).public_id


def test_what_was_tried_and_is_cancelled_or_found_not_to_have_gone_is_handed_on(
    rest: APIClient, journey: Journey, smtp_sink: Mailbox
) -> None:
    smtp_sink.answer(f"{journey.key}@example.com", "450 4.2.0 later")
    word = {"word": "one"}
    try:
        cap(rest, 1, "coalesce")
        journey.publish(MAIL | {"retry": {"initial": "PT1H"}}, templates=WORD)
        filling = journey.start("anna", email="fills@example.com", **word)
        journey.work()
        runs = [journey.start("anna", email=f"{journey.key}@example.com", **word) for _ in range(3)]
        journey.work()
        sends(journey, runs[0])
        tried = journey.delivery(runs[0])
        end(journey, runs[0])
    finally:
        smtp_sink.answer_normally()
    mine = journey.deliveries(runs[1])[1]
    found = {"tenant_id": mine.tenant_id, "step_run_id": mine.step_run_id, "word": "permanent_failure"}
    journey.read(lambda: resolve_delivery(**found, now=database_now(), error="http 410"))

    assert (journey.delivery(filling).status, tried.held_by, tried.error) == ("delivered", "", "smtp 450 4.2.0")
    assert mine.stands_in_for == tried.public_id
    assert [(one.status, one.error) for one in journey.deliveries(runs[1])[1:]] == [("permanent_failure", "http 410")]
    assert journey.deliveries(runs[2])[1].stands_in_for == mine.public_id


def test_what_undoes_a_message_is_not_joined_to_it(rest: APIClient, journey: Journey, smtp_sink: Mailbox) -> None:
    undo = {"kind": "deliver", "channel": "email", "template": "hello", "to": "data.email"}
    runs = joined(rest, journey, "capped-undone@example.com", REST)
    journey.publish(MAIL | {"compensate": undo}, REST, templates=HELLO)
    run = journey.start("eve", email="capped-eve@example.com")
    journey.work()
    waiting = journey.start("eve", email="capped-eve@example.com")
    journey.work()

    cancel_runs(tenant_id=journey.tenant.pk, public_ids=[run.public_id], compensate=True, **BY)
    journey.work()

    sorry = journey.deliveries(run)[1]
    assert (sorry.status, sorry.held_by, sorry.coalesced_into) == ("planned", "cap", None)
    assert journey.delivery(waiting).held_by == "cap"
    assert journey.delivery(runs[1]).status == "planned"
