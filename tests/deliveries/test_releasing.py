"""A rule is changed: what it holds is judged anew soon after, whoever changes what at the same moment."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from rest_framework.test import APIClient

from chimeway_py.embedded.mailbox import Mailbox
from deliveries.models import Delivery, Release
from deliveries.services import plan
from deliveries.services.providers import Rate, delete_provider
from deliveries.timing import releasing
from deliveries.timing.releasing import release_turn
from deliveries.timing.storing import put_sending_rules
from tenants.models import Tenant
from tests.deliveries.conftest import Journey
from tests.deliveries.test_providers import chat
from tests.deliveries.test_quiet_hours import HELLO, MAIL, around_now, due_at, later
from tests.journeys import rows_of
from workflows.explain import explain_run
from workflows.models import Run
from workflows.services.control import pause_runs, resume_runs
from workflows.services.sweeping import due_work
from workflows.services.work import claim_work, finish_work, perform
from workflows.states import Cause
from workflows.verify import verify_trace

QUIET = {"quiet_hours": [around_now()]}
CAP = {"name": "mails", "channel": "email", "limit": 1, "per": "PT1H", "then": "delay"}
NO = {"rules": [{"channel": "email", "allowed": False}]}


def kept(journey: Journey, run: Run) -> tuple[str, str]:
    delivery = journey.delivery(run)
    return delivery.status, delivery.held_by or delivery.error


def reasons(journey: Journey, run: Run) -> list[str]:
    return [line.reason for line in journey.trace(run) if line.reason.startswith("work_")]


def judged(journey: Journey) -> int:
    """What the sweep would do."""
    found = release_turn(tenant_id=journey.tenant.pk)
    journey.work()
    return found


@pytest.fixture
def held(rest: APIClient, journey: Journey) -> Run:
    """A run whose mail waits for the end of the tenant's quiet hours."""
    assert rest.put("/v1/sending-rules", QUIET).status_code == 200
    rest.put("/v1/recipients/anna", {"locale": "en"})
    journey.publish(MAIL, templates=HELLO)
    return journey.start("anna", email="anna-released@example.com")


def test_when_quiet_hours_are_lifted_it_goes_out_and_explain_says_who_held_it(
    rest: APIClient, journey: Journey, held: Run, tenant: Tenant, smtp_sink: Mailbox
) -> None:
    until = journey.delivery(held).held_until
    rest.put("/v1/sending-rules", {"quiet_hours": []})
    assert ("releases", tenant.pk) in due_work()

    assert release_turn(tenant_id=tenant.pk) == 1
    said = explain_run(tenant_id=tenant.pk, public_id=held.public_id).sentence
    journey.work()

    assert until is not None
    assert f"it was held back until {until:%Y-%m-%d %H:%M} UTC by the tenant's default: quiet hours" in said
    assert "; the sending rules changed, so it is judged anew now" in said
    assert reasons(journey, held) == ["work_held", "work_released"]
    line = next(line for line in journey.trace(held) if line.reason == "work_released")
    assert (line.context["until"], line.context["held_by"]) == (until.isoformat(), "quiet_hours")
    assert kept(journey, held) == ("delivered", "")
    assert journey.attempts(held) == [(1, "delivered", "")]
    assert len(smtp_sink.to("anna-released@example.com")) == 1
    assert rows_of(tenant, (Release,)) == [0]
    assert ("releases", tenant.pk) not in due_work()
    assert list(verify_trace(tenant_id=tenant.pk)) == []


CHANGES: list[tuple[str, dict[str, Any], tuple[str, str]]] = [
    ("recipients/anna", {"quiet_hours": []}, ("delivered", "")),  # hours of her own
    ("recipients/anna", {"zone": "Etc/GMT-8"}, ("delivered", "")),  # where it is another time of day
    ("recipients/anna/preferences", NO, ("suppressed", "preference")),  # no need to wait for that
    ("preference-defaults", NO, ("suppressed", "preference")),
    ("sending-rules", {"quiet_hours": [later()]}, ("delivered", "")),
    ("sending-rules", {"quiet_hours": [around_now(3)]}, ("planned", "quiet_hours")),  # another rule holds it
]


@pytest.mark.parametrize(("path", "said", "then"), CHANGES, ids=[f"{n} {c[0]}" for n, c in enumerate(CHANGES)])
def test_each_change_of_a_rule_is_heeded(
    rest: APIClient, journey: Journey, held: Run, path: str, said: Any, then: Any, smtp_sink: Mailbox
) -> None:
    assert rest.put(f"/v1/{path}", said).status_code in (200, 201)

    assert judged(journey) == 1

    assert kept(journey, held) == then
    if then[0] == "planned":
        assert reasons(journey, held) == ["work_held", "work_released", "work_held"]
        assert due_at(journey, held) == journey.delivery(held).held_until
    assert judged(journey) == 0


def test_a_cap_that_is_raised_lets_as_many_go_as_it_allows_now(
    rest: APIClient, journey: Journey, smtp_sink: Mailbox
) -> None:
    rest.put("/v1/sending-rules", {"caps": [CAP]})
    journey.publish(MAIL, templates=HELLO)
    runs = [journey.start("anna", email="raised@example.com") for _ in range(4)]
    journey.work()

    rest.put("/v1/sending-rules", {"caps": [CAP | {"limit": 3}]})
    assert judged(journey) == 3

    assert [kept(journey, run) for run in runs] == [("delivered", "")] * 3 + [("planned", "cap")]
    assert len(smtp_sink.to("raised@example.com")) == 3


def test_a_rate_that_is_raised_gives_new_turns(
    journey: Journey, tenant: Tenant, httpserver: HTTPServer, settings: Any
) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    httpserver.expect_request("/").respond_with_data("1")
    url = httpserver.url_for("/")
    chat(tenant, "slow", url, rate=Rate(1, 3600))
    journey.publish({"channel": "chat", "template": "hello"}, templates={"hello": {"text": "Hello"}})
    runs = [journey.start() for _ in range(4)]
    journey.work()
    assert [kept(journey, run) for run in runs] == [("delivered", "")] + [("planned", "rate")] * 3

    chat(tenant, "slow", url, rate=Rate(2, 3600))  # it counts anew
    assert judged(journey) == 3
    assert [kept(journey, run) for run in runs] == [("delivered", "")] * 3 + [("planned", "rate")]
    chat(tenant, "fast", url)
    delete_provider(tenant_id=tenant.pk, key="slow")
    judged(journey)
    assert kept(journey, runs[3]) == ("delivered", "")
    assert len(httpserver.log) == 4


def test_a_message_that_is_judged_while_the_rule_changes_is_not_held_by_the_old_one(
    rest: APIClient, journey: Journey, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, smtp_sink: Mailbox
) -> None:
    journey.publish(MAIL, templates=HELLO)
    rest.put("/v1/sending-rules", QUIET)

    def lift() -> None:
        change = threading.Thread(
            target=put_sending_rules, kwargs={"tenant_id": tenant.pk, "quiet_hours": [], "caps": []}
        )
        change.start()
        change.join()

    with monkeypatch.context() as racing:  # after the rules were read, and before anything is held
        about_to_hold = plan.about_to_hold
        racing.setattr(plan, "about_to_hold", lambda tenant_id: (lift(), about_to_hold(tenant_id)))
        planned = journey.start("anna", email="race@example.com")
    assert kept(journey, planned) == ("planned", "")

    put_sending_rules(tenant_id=tenant.pk, quiet_hours=QUIET["quiet_hours"], caps=[])
    claim = claim_work(tenant_id=tenant.pk, worker="one")
    assert claim is not None
    outcome = perform(claim)
    lift()
    assert release_turn(tenant_id=tenant.pk) == 1
    finish_work(claim=claim, outcome=outcome)
    journey.work()
    assert kept(journey, planned) == ("delivered", "")


def test_a_change_waits_for_those_who_are_about_to_hold(
    journey: Journey, held: Run, tenant: Tenant, together: Callable[..., list[Any]]
) -> None:
    order: list[str] = []
    holds = threading.Event()

    def hold() -> None:
        def keep() -> None:
            releasing.about_to_hold(tenant.pk)
            holds.set()
            threading.Event().wait(0.2)  # longer than a change takes
            order.append("held")

        journey.read(keep)

    def change() -> None:
        holds.wait(5)
        put_sending_rules(tenant_id=tenant.pk, quiet_hours=[], caps=[])
        order.append("changed")

    together(hold, change)
    assert order == ["held", "changed"]


def test_pieces_are_bounded_and_go_on_where_the_last_ended(
    rest: APIClient,
    journey: Journey,
    tenant: Tenant,
    other_tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
    smtp_sink: Mailbox,
) -> None:
    monkeypatch.setattr(releasing, "AT_ONCE", 2)
    rest.put("/v1/sending-rules", QUIET)
    put_sending_rules(tenant_id=other_tenant.pk, quiet_hours=QUIET["quiet_hours"], caps=[])
    stranger = Journey(other_tenant)
    for one in (journey, stranger):
        one.publish(MAIL, templates=HELLO)
    runs = [journey.start(f"r{n % 3}", email="pieces@example.com") for n in range(5)]
    theirs = stranger.start("r1", email="stranger@example.com")
    pause_runs(tenant_id=tenant.pk, public_ids=[runs[0].public_id], cause=Cause.API, cause_ref="", reason="a test")

    rest.put("/v1/sending-rules", {})
    assert releasing._release_some(tenant.pk) == 2  # and the worker dies
    assert judged(journey) == 3
    assert [kept(journey, run)[0] for run in runs] == ["planned"] + ["delivered"] * 4
    resume_runs(tenant_id=tenant.pk, public_ids=[runs[0].public_id], cause=Cause.API, cause_ref="", reason="a test")
    journey.work()

    assert kept(journey, runs[0]) == ("delivered", "")
    assert kept(stranger, theirs) == ("planned", "quiet_hours")
    assert [reasons(journey, run) for run in runs] == [["work_held", "work_released"]] * 5
    assert rows_of(tenant, (Release,)) == [0]


def test_where_nothing_is_held_a_change_leaves_nothing_behind(
    rest: APIClient, journey: Journey, tenant: Tenant
) -> None:
    journey.publish({"channel": "in_app", "template": "hello"}, templates=HELLO)
    journey.start()
    rest.put("/v1/sending-rules", QUIET)
    rest.put("/v1/recipients/anna", {"quiet_hours": []})
    rest.put("/v1/recipients/anna/preferences", NO)

    assert rows_of(tenant, (Release, Delivery)) == [0, 1]
