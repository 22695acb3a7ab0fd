"""Several providers for one channel: order, stepping in, health, rates; and that nothing is sent twice for it."""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_httpserver import HTTPServer
from rest_framework.test import APIClient

from chimeway_py.embedded.mailbox import Mailbox
from chimeway_py.errors import Invalid
from deliveries.models import Delivery, Provider, Recipient
from deliveries.providers.sending import SERVICE
from deliveries.providers.turns import take_turn
from deliveries.recipients.searching import recipients_at
from deliveries.services.providers import Rate, delete_provider, put_provider
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.deliveries.conftest import Journey
from tests.deliveries.doubles import HangsUp
from tests.deliveries.smtp_script import ScriptedSmtp
from tests.deliveries.test_provider_kinds import subscription
from tests.steps.owing import make_due
from workflows.definitions.errors import InvalidDefinition
from workflows.models import Run
from workflows.services.lost_work import end_lost_work
from workflows.services.work import claim_work
from workflows.states import Cause
from workflows.verify import verify_trace

HELLO = {"hello": {"text": "Hello"}}
CHAT = {"channel": "chat", "template": "hello"}
SMS = {"channel": "sms", "template": "hello"}
_ANY = re.compile(".*")


@pytest.fixture(autouse=True)
def _loopback(settings: Any) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.1/32"]


def chat(owner: Tenant, key: str, url: str, **said: Any) -> Provider:
    """A provider for chats at an address."""
    return put_provider(tenant_id=owner.pk, key=key, kind="teams", credentials={"url": url}, **said)[0]


def sms(owner: Tenant, key: str, url: str, **said: Any) -> Provider:
    """A provider for short messages at an address."""
    config = {"account_sid": "AC1", "from": "+15550001111", "url": url}
    return put_provider(
        tenant_id=owner.pk, key=key, kind="twilio", config=config, credentials={"auth_token": "t"}, **said
    )[0]


def told(journey: Journey, run: Run) -> tuple[str, str, str]:
    delivery = journey.delivery(run)
    return delivery.status, delivery.error, delivery.provider


def paths(server: HTTPServer) -> list[str]:
    return [request.path for request, _ in server.log]


def stored(journey: Journey, key: str) -> Provider:
    return journey.read(lambda: Provider.objects.get(tenant_id=journey.tenant.pk, key=key))


def test_the_first_in_order_is_asked_and_the_next_only_when_it_did_not(
    journey: Journey, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/first").respond_with_data("", 503)
    httpserver.expect_request("/second").respond_with_data("", 202)
    chat(journey.tenant, "second", httpserver.url_for("/second"), position=2)
    chat(journey.tenant, "first", httpserver.url_for("/first"), position=1)
    chat(journey.tenant, "idle", httpserver.url_for("/idle"), position=0, enabled=False)
    journey.publish(CHAT, templates=HELLO)

    run = journey.start("bob")
    journey.work()

    assert paths(httpserver) == ["/first", "/second"]
    assert told(journey, run) == ("delivered", "", "second")
    assert journey.attempts(run) == [(1, "delivered", "")]
    context = journey.trace(run)[-2].context | journey.trace(run)[-1].context
    assert context["tried"] == [
        {"provider": "first", "outcome": "temporary_failure", "error": "http 503"},
        {"provider": "second", "outcome": "delivered", "error": ""},
    ]


def test_a_message_that_nobody_would_take_is_not_offered_around(journey: Journey, httpserver: HTTPServer) -> None:
    httpserver.expect_request(_ANY).respond_with_data("", 400)
    chat(journey.tenant, "first", httpserver.url_for("/first"))
    chat(journey.tenant, "second", httpserver.url_for("/second"), position=2)
    journey.publish(CHAT, templates=HELLO)

    run = journey.start("bob")
    journey.work()

    assert paths(httpserver) == ["/first"]
    assert told(journey, run)[:2] == ("permanent_failure", "http 400")
    assert stored(journey, "first").failures == 0  # the message's fault


def test_a_step_says_which_providers_count(journey: Journey, httpserver: HTTPServer) -> None:
    httpserver.expect_request(_ANY).respond_with_data("", 503)
    for position, key in enumerate(("a", "b", "c")):
        chat(journey.tenant, key, httpserver.url_for(f"/{key}"), position=position)
    journey.publish({**CHAT, "providers": ["c", "a"], "retry": {"max_attempts": 1}}, templates=HELLO)

    run = journey.start("bob")
    journey.work()

    assert paths(httpserver) == ["/c", "/a"]
    assert told(journey, run)[:2] == ("retries_exhausted", "http 503")
    with pytest.raises(InvalidDefinition) as refused:
        journey.publish({**CHAT, "providers": ["a", "nobody"]}, templates=HELLO)
    assert [(one["path"], one["code"]) for one in refused.value.detail] == [  # type: ignore[index]
        ("/steps/0/providers/1", "unknown_provider")
    ]


def test_accepted_and_dropped_is_unknown_and_never_sent_again(journey: Journey, httpserver: HTTPServer) -> None:
    with HangsUp() as dropping:
        sms(journey.tenant, "dropping", dropping.url)
        sms(journey.tenant, "willing", httpserver.url_for("").rstrip("/"), position=2)
        journey.publish({**SMS, "at_most_once": True}, templates=HELLO)
        run = journey.start("bob", phone="+4366012345678")
        for _ in range(3):
            journey.work()
            make_due(journey.tenant)

        assert len(dropping.requests) == 1
    assert httpserver.log == []
    assert told(journey, run) == ("unknown", "network RemoteProtocolError", "dropping")
    assert (journey.run(run).state, journey.run(run).status_reason) == ("active", "unknown_outcome")
    assert list(verify_trace(tenant_id=journey.tenant.pk)) == []


def test_without_it_the_same_provider_is_asked_again_under_the_same_key(
    journey: Journey, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(_ANY).respond_with_json({"sid": "SM"})
    with HangsUp() as dropping:
        sms(journey.tenant, "other", httpserver.url_for("").rstrip("/"), position=2)
        sms(journey.tenant, "dropping", dropping.url, position=1)
        journey.publish({**SMS, "retry": {"initial": "PT0S", "max_attempts": 4}}, templates=HELLO)
        run = journey.start("bob", phone="+4366012345678")
        journey.work()  # tries until nothing is due

        keys = {line for one in dropping.requests for line in one.split(b"\r\n") if b"idempotency" in line}
        assert (len(dropping.requests), len(keys)) == (4, 1)
    assert httpserver.log == []  # after three it is not well, and yet the other is not asked: it knows no such key
    assert told(journey, run) == ("retries_exhausted", "network RemoteProtocolError", "dropping")
    assert stored(journey, "dropping").unhealthy_until is not None


def test_whoever_may_have_it_stays_the_only_one_to_ask(journey: Journey, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/first").respond_with_data("", 500)
    httpserver.expect_request("/second").respond_with_data("", 202)
    chat(journey.tenant, "first", httpserver.url_for("/first"))
    chat(journey.tenant, "second", httpserver.url_for("/second"), position=2)
    journey.publish({**CHAT, "retry": {"initial": "PT1H", "max_attempts": 4}}, templates=HELLO)
    run = journey.start("bob")
    journey.work()

    httpserver.clear_all_handlers()
    httpserver.expect_request("/first").respond_with_data("", 503)  # this time it certainly did not
    httpserver.expect_request("/second").respond_with_data("", 202)
    make_due(journey.tenant)
    journey.work()
    enabled = journey.read(lambda: Provider.objects.filter(tenant_id=journey.tenant.pk, key="first"))
    journey.read(lambda: enabled.update(enabled=False))
    for _ in range(2):
        make_due(journey.tenant)
        journey.work()

    assert paths(httpserver) == ["/first", "/first"]
    assert told(journey, run) == ("retries_exhausted", "provider_away", "first")
    assert [error for _, _, error in journey.attempts(run)] == ["http 500", "http 503", *["provider_away"] * 2]


def test_a_worker_that_dies_leaves_word_of_whom_it_asked(journey: Journey, httpserver: HTTPServer) -> None:
    chat(journey.tenant, "first", httpserver.url_for("/first"))
    journey.publish({**CHAT, "at_most_once": True}, templates=HELLO)
    run = journey.start("bob")
    claim_work(tenant_id=journey.tenant.pk, worker="doomed")
    take_turn(journey.tenant.pk, str(journey.delivery(run).public_id), stored(journey, "first"))
    make_due(journey.tenant)

    assert end_lost_work(tenant_id=journey.tenant.pk) == 1
    journey.work()

    assert told(journey, run)[::2] == ("unknown", "first")
    assert httpserver.log == []


def test_three_failures_in_a_row_let_others_go_first_until_it_is_well(journey: Journey, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/first").respond_with_data("", 503)
    httpserver.expect_request("/second").respond_with_data("", 202)
    chat(journey.tenant, "first", httpserver.url_for("/first"))
    chat(journey.tenant, "second", httpserver.url_for("/second"), position=2)
    journey.publish(CHAT, templates=HELLO)
    for _ in range(5):
        journey.start("bob")
        journey.work()
    unwell = stored(journey, "first")
    journey.read(lambda: Provider.objects.filter(key="first").update(unhealthy_until=None))
    httpserver.clear_all_handlers()
    httpserver.expect_request(_ANY).respond_with_data("", 202)
    journey.start("bob")
    journey.work()

    assert paths(httpserver) == [*["/first", "/second"] * 3, "/second", "/second", "/first"]
    assert (unwell.failures, unwell.last_error, unwell.unhealthy_until is not None) == (3, "http 503", True)
    assert (stored(journey, "first").failures, stored(journey, "first").unhealthy_until) == (0, None)


def test_one_that_asks_for_time_gets_it(journey: Journey, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/first").respond_with_data("", 429, {"Retry-After": "600"})
    httpserver.expect_request("/second").respond_with_data("", 202)
    chat(journey.tenant, "first", httpserver.url_for("/first"))
    chat(journey.tenant, "second", httpserver.url_for("/second"), position=2)
    journey.publish(CHAT, templates=HELLO)
    for _ in range(2):
        journey.start("bob")
        journey.work()

    assert paths(httpserver) == ["/first", "/second", "/second"]


def test_a_rate_is_kept_whoever_asks(journey: Journey, together: Callable[..., list[Any]]) -> None:
    provider = chat(journey.tenant, "slow", "https://example.com/", rate=Rate(3, 3600))
    journey.publish(CHAT, templates=HELLO)
    ids = [str(journey.delivery(journey.start("bob")).public_id) for _ in range(8)]

    turns = together(*[lambda one=one: take_turn(journey.tenant.pk, one, provider) for one in ids])
    again = [take_turn(journey.tenant.pk, one, provider) for one in ids]

    assert sorted(round(turn.wait / 1200) for turn in turns) == [0, 0, 0, 1, 2, 3, 4, 5]
    kept = [(first.wait, second.wait) for first, second in zip(turns, again, strict=True) if first.wait]
    assert len(kept) == 5  # whoever waits keeps its place
    assert all(0 <= first - second < 60 for first, second in kept)


def test_a_message_waits_for_its_turn_and_loses_no_try(journey: Journey, httpserver: HTTPServer) -> None:
    times: list[float] = []
    httpserver.expect_request(_ANY).respond_with_handler(lambda _: (times.append(time.monotonic()), _ok())[1])
    chat(journey.tenant, "slow", httpserver.url_for("/"), rate=Rate(2, 1))
    journey.publish({**CHAT, "retry": {"max_attempts": 1}}, templates=HELLO)
    runs = [journey.start("bob") for _ in range(5)]
    until = time.monotonic() + 10
    while len(times) < 5 and time.monotonic() < until:
        journey.work()
        time.sleep(0.05)

    assert [told(journey, run)[0] for run in runs] == ["delivered"] * 5
    assert times[4] - times[1] > 1.2, times  # two at once, then one in half a second
    tries = [journey.attempts(run) for run in runs]
    assert tries[0] == [(1, "delivered", "")]
    assert tries[-1] == [(1, "held", "rate_limited"), (2, "delivered", "")]
    assert list(verify_trace(tenant_id=journey.tenant.pk)) == []


def test_who_failed_before_a_rate_held_the_message_back_is_told(journey: Journey, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/first").respond_with_data("", 503)
    chat(journey.tenant, "first", httpserver.url_for("/first"), position=1)
    slow = chat(journey.tenant, "slow", httpserver.url_for("/slow"), position=2, rate=Rate(1, 3600))
    with tenant_scope(journey.tenant.pk):
        Provider.objects.filter(id=slow.pk).update(next_at="2999-01-01T00:00:00Z")
    journey.publish(CHAT, templates=HELLO)

    run = journey.start("bob")
    journey.work()

    [line] = [one for one in journey.trace(run) if one.reason == "work_held"]
    assert line.context["rule"] == "rate of slow"
    assert line.context["tried"] == [{"provider": "first", "outcome": "temporary_failure", "error": "http 503"}]
    assert journey.attempts(run) == [(1, "held", "rate_limited")]


def _ok() -> Any:
    from werkzeug import Response

    return Response("", 202)


def test_a_run_that_ends_while_its_message_waits_sends_nothing(
    journey: Journey, httpserver: HTTPServer, rest: APIClient
) -> None:
    from workflows.services.control import cancel_runs

    provider = chat(journey.tenant, "slow", httpserver.url_for("/"), rate=Rate(1, 3600))
    journey.publish(CHAT, templates=HELLO)
    with tenant_scope(journey.tenant.pk):
        Provider.objects.filter(id=provider.pk).update(next_at="2999-01-01T00:00:00Z")
    run = journey.start("bob")
    journey.work()
    waiting = told(journey, run)
    why = rest.get(f"/v1/runs/{run.public_id}/explain").json()["sentence"]
    held = rest.get("/v1/deliveries?held=true&decided_by=provider").json()["items"]
    desk = rest.get("/v1/recipients/bob/history").json()["items"][0]["why"]
    turn = [datetime(year, 6, 1, tzinfo=UTC) for year in (2998, 2999)]
    overdue = [journey.read(Delivery.objects.for_tenant(journey.tenant.pk).overdue(at).count) for at in turn]
    cancel_runs(tenant_id=journey.tenant.pk, public_ids=[run.public_id], cause=Cause.API, cause_ref="t", reason="over")
    make_due(journey.tenant)
    journey.work()

    assert waiting == ("planned", "", "slow")
    assert "held back until 2999-01-01 00:00 UTC by the provider: rate of slow" in why
    assert [(one["run_id"], one["held_by"], one["held_until"][:19], one["decided_rule"]) for one in held] == [
        (str(run.public_id), "rate", "2999-01-01T00:00:00", "rate of slow")
    ]
    assert desk == "Held back until 2999-01-01 00:00 UTC by the provider: rate of slow."
    assert overdue == [0, 1]  # it is owed on time until its turn has come and gone
    assert told(journey, run)[0] == "cancelled"
    assert httpserver.log == []


def test_without_a_provider_only_mail_goes_out(journey: Journey, smtp_sink: Mailbox) -> None:
    journey.publish(
        {**SMS, "on_outcome": {"permanent_failure": "next"}},
        {"channel": "email", "template": "hello", "to": "data.email"},
        templates=HELLO,
    )
    run = journey.start("bob", phone="+4366012345678", email="nobody@example.com")
    journey.work()
    journey.work()

    assert [(one.status, one.error) for one in journey.deliveries(run)] == [
        ("permanent_failure", "no_provider"),
        ("delivered", ""),
    ]
    assert len(smtp_sink.to("nobody@example.com")) == 1


def test_mail_of_a_tenant_with_a_server_of_its_own_goes_nowhere_else(
    journey: Journey, smtp_sink: Mailbox, settings: Any
) -> None:
    config = {"host": "127.0.0.1", "port": 1025, "security": "none", "from": "us@example.com"}
    put_provider(tenant_id=journey.tenant.pk, key="own", kind="smtp", config=config, enabled=False)
    journey.publish({"channel": "email", "template": "hello", "to": "data.email"}, templates=HELLO)
    run = journey.start("bob", email="elsewhere@example.com")
    journey.work()

    assert told(journey, run) == ("permanent_failure", "no_provider", "")
    assert smtp_sink.to("elsewhere@example.com") == []


@pytest.mark.parametrize(("point", "went"), [("BODY", (2, 0)), ("RCPT", (0, 1))])
def test_what_the_services_own_server_may_have_is_given_to_nobody_else(
    point: str, went: tuple[int, int], journey: Journey, smtp_sink: Mailbox, settings: Any
) -> None:
    """A try that may have been taken is asked of the service's server again; one that was not, of the new provider."""
    journey.publish(
        {"channel": "email", "template": "hello", "to": "data.email", "retry": {"initial": "PT1H"}}, templates=HELLO
    )
    own = {"host": "127.0.0.1", "port": settings.EMAIL_PORT, "security": "none", "from": "us@example.com"}
    address = f"{journey.key}@example.com"
    with ScriptedSmtp({point: "close"}) as server:
        settings.EMAIL_PORT = server.port
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        run = journey.start("bob", email=address)
        journey.work()
        noted = told(journey, run)
        put_provider(tenant_id=journey.tenant.pk, key="own", kind="smtp", config=own)
        make_due(journey.tenant)
        journey.work()

        assert (server.bodies, len(smtp_sink.to(address))) == went
    assert (noted[0], noted[2]) == ("planned", SERVICE)
    assert told(journey, run)[2] == (SERVICE if point == "BODY" else "own")


def test_two_mails_of_one_journey_are_two_mails(journey: Journey, smtp_sink: Mailbox) -> None:
    one = {"channel": "email", "template": "hello", "to": "data.email"}
    journey.publish(one, one, templates=HELLO)
    run = journey.start("bob", email="twice@example.com")
    journey.work()
    journey.work()

    mails = smtp_sink.to("twice@example.com")
    assert len({mail["Message-ID"] for mail in mails}) == len(mails) == 2
    assert [delivery.status for delivery in journey.deliveries(run)] == ["delivered", "delivered"]


def test_a_push_reaches_every_browser_of_its_recipient(
    journey: Journey, rest: APIClient, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/push/old").respond_with_data("", 410)
    httpserver.expect_request("/push/new").respond_with_data("", 201)
    put_provider(tenant_id=journey.tenant.pk, key="web", kind="web_push", config={"contact": "mailto:a@example.com"})
    browsers = [subscription(httpserver.url_for(f"/push/{name}")) for name in ("old", "new")]
    assert rest.put("/v1/recipients/bob", {"addresses": {"push": browsers}}).status_code == 201
    journey.publish({"channel": "push", "template": "hello"}, templates=HELLO)

    run = journey.start("bob")
    journey.work()

    assert sorted(paths(httpserver)) == ["/push/new", "/push/old"]
    assert told(journey, run) == ("delivered", "", "web")
    assert journey.delivery(run).recipient_masked == "browsers"
    (counted,) = [line.context["browsers"] for line in journey.trace(run) if "browsers" in line.context]
    assert counted == {"delivered": 1, "bounced": 1}
    assert list(verify_trace(tenant_id=journey.tenant.pk)) == []


def test_a_browser_that_is_gone_is_not_called_again_while_another_lives(
    journey: Journey, rest: APIClient, httpserver: HTTPServer
) -> None:
    for name, status in (("old", 410), ("older", 404), ("new", 201), ("slow", 503)):
        httpserver.expect_request(f"/push/{name}").respond_with_data("", status)
    put_provider(tenant_id=journey.tenant.pk, key="web", kind="web_push", config={"contact": "mailto:a@example.com"})
    browsers = {name: subscription(httpserver.url_for(f"/push/{name}")) for name in ("old", "older", "new", "slow")}
    browsers["new"]["expirationTime"] = None  # of the product's own: what is kept is kept as it was
    said = {"addresses": {"push": list(browsers.values()), "email": "bob@example.com"}, "attributes": {"vip": True}}
    rest.put("/v1/recipients/bob", said)
    journey.publish({"channel": "push", "template": "hello"}, templates=HELLO)
    run = journey.start("bob")
    journey.work()
    first = sorted(paths(httpserver))

    journey.start("bob")
    journey.work()

    bob = journey.read(lambda: Recipient.objects.get(tenant_id=journey.tenant.pk, external_id="bob"))
    assert bob.person == {
        "addresses": {"push": [browsers["new"], browsers["slow"]], "email": "bob@example.com"},
        "attributes": {"vip": True},
    }
    assert sorted(paths(httpserver)[4:]) == ["/push/new", "/push/slow"]
    assert first == ["/push/new", "/push/old", "/push/older", "/push/slow"]
    (gone,) = [line.context["gone"] for line in journey.trace(run) if "gone" in line.context]
    assert len(gone) == 2
    assert "push/old" not in json.dumps([line.context for line in journey.trace(run)])
    asked = [json.dumps(browsers[name]) for name in ("old", "new")]
    assert journey.read(lambda: [recipients_at(journey.tenant.pk, one).count() for one in asked]) == [0, 1]


def test_of_browsers_that_are_all_gone_the_bounce_is_what_is_kept(
    journey: Journey, rest: APIClient, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(_ANY).respond_with_data("", 410)
    put_provider(tenant_id=journey.tenant.pk, key="web", kind="web_push", config={"contact": "mailto:a@example.com"})
    browsers = [subscription(httpserver.url_for(f"/push/{name}")) for name in ("one", "two")]
    rest.put("/v1/recipients/bob", {"addresses": {"push": browsers}})
    journey.publish({"channel": "push", "template": "hello"}, templates=HELLO)

    runs = [journey.start("bob") for _ in range(2)]
    journey.work()

    assert [told(journey, run)[:2] for run in runs] == [("bounced", "http 410"), ("suppressed", "bounced_before")]
    bob = journey.read(lambda: Recipient.objects.get(tenant_id=journey.tenant.pk, external_id="bob"))
    assert bob.person["addresses"]["push"] == browsers


def test_the_same_names_in_two_tenants_share_nothing(
    journey: Journey, other_tenant: Tenant, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/ours").respond_with_data("", 410)
    httpserver.expect_request("/theirs").respond_with_data("", 202)
    theirs = Journey(other_tenant)
    for one, path in ((journey, "/ours"), (theirs, "/theirs")):
        chat(one.tenant, "team", httpserver.url_for(path))
        one.publish(CHAT, templates=HELLO)
        one.start("bob")
        one.work()

    assert paths(httpserver) == ["/ours", "/theirs"]
    sealed = [bytes(stored(one, "team").sealed) for one in (journey, theirs)]
    assert sealed[0] != sealed[1]
    delete_provider(tenant_id=journey.tenant.pk, key="team")
    assert stored(theirs, "team").enabled


# -- Storing --


BAD: list[tuple[dict[str, Any], str]] = [
    ({"kind": "pigeon"}, "/kind"),
    ({"config": {"hots": "x"}}, "/config/hots"),
    ({"config": {"from": "a@b.c"}}, "/config/host"),
    ({"config": {"host": "127.0.0.1", "from": "a@b.c"}}, "/config/host"),
    ({"config": {"host": "mail.example.com", "from": "a@b.c", "port": 22}}, "/config/port"),
    ({"config": {"host": "mail.example.com", "from": "a@b.c", "port": 0}}, "/config/port"),
    ({"config": {"host": "mail.example.com", "from": "a@example.com\r\nBcc: x@y.example"}}, "/config/from"),
    ({"config": {"host": "mail.example.com", "from": "ok@example.com, two@example.com"}}, "/config/from"),
    ({"config": {"host": "mail.example.com", "from": "not an address"}}, "/config/from"),
    ({"config": {"host": "mail..example.com", "from": "a@example.com"}}, "/config/host"),
    ({"config": {"host": "mail.example.com\n", "from": "a@example.com"}}, "/config/host"),
    ({"credentials": {"username": "u", "password": "pässword"}}, "/credentials/password"),
    ({"kind": "slack", "config": {"to": "#ops\n"}, "credentials": {"token": "x"}}, "/config/to"),
    ({"kind": "slack", "config": {}, "credentials": {"token": "x\n"}}, "/credentials/token"),
    (
        {
            "kind": "twilio",
            "config": {"account_sid": "A", "from": "call me later"},
            "credentials": {"auth_token": "t"},
        },
        "/config/from",
    ),
    (
        {"kind": "twilio", "config": {"account_sid": "A\n", "from": "+155500"}, "credentials": {"auth_token": "t"}},
        "/config/account_sid",
    ),
    ({"kind": "web_push", "config": {"contact": "mailto:not an address"}, "credentials": {}}, "/config/contact"),
    ({"credentials": {"username": "u"}}, "/credentials"),
    ({"credentials": {"user": "u"}}, "/credentials/user"),
    ({"credentials": {"username": "u", "password": ""}}, "/credentials/password"),
    ({"credentials": {"username": "u", "password": ["x"]}}, "/credentials/password"),
    ({"position": -1}, "/position"),
    ({"rate": {"count": 0}}, "/rate/count"),
    ({"rate": {"count": 10**9}}, "/rate"),
    ({"colour": "red"}, "/colour"),
    ({"kind": "teams", "config": {}, "credentials": {}}, "/credentials/url"),
    ({"kind": "teams", "config": {}, "credentials": {"url": "https://169.254.169.254/"}}, "/credentials/url"),
    ({"kind": "slack", "config": {}, "credentials": {"token": "a", "url": "https://example.com"}}, "/credentials"),
    ({"kind": "twilio", "config": {"account_sid": "A"}, "credentials": {"auth_token": "t"}}, "/config/from"),
    ({"kind": "web_push", "config": {"contact": "me"}, "credentials": {}}, "/config/contact"),
    (
        {"kind": "ses", "config": {"from": "a@example.com", "region": "eu-west-1"}, "credentials": {}},
        "/credentials/access_key_id",
    ),
    (
        {"kind": "web_push", "config": {"contact": "mailto:a@b.c"}, "credentials": {"private_key": "A" * 43}},
        "/credentials/private_key",
    ),
]
GOOD = {"kind": "smtp", "config": {"host": "mail.example.com", "from": "us@example.com"}}


@pytest.mark.parametrize(("changed", "path"), BAD)
def test_what_makes_no_sense_is_refused_by_its_place(
    changed: dict[str, Any], path: str, rest: APIClient, journey: Journey, settings: Any
) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = []

    answer = rest.put("/v1/providers/mine", {**GOOD, **changed})

    assert answer.status_code == 400, answer.content
    places = [one["path"] for one in answer.json()["detail"]]
    assert path in places, answer.content
    assert len(set(places)) == len(places), "each place is named once"
    assert journey.read(lambda: Provider.objects.filter(tenant_id=journey.tenant.pk).count()) == 0


def test_a_kind_that_is_not_installed_says_what_to_install(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliveries.providers.base.find_spec", lambda _: None)

    with pytest.raises(Invalid) as refused:
        put_provider(tenant_id=tenant.pk, key="pm", kind="postmark")

    assert [one["code"] for one in refused.value.detail] == ["not_installed"]  # type: ignore[index]
    assert "chimeway_py[anymail]" in str(refused.value.detail)


CANARY = "canary-of-a-credential"


def test_credentials_go_in_and_never_come_out(rest: APIClient, journey: Journey) -> None:
    said = {**GOOD, "credentials": {"username": "us", "password": CANARY}}

    made = rest.put("/v1/providers/mine", said, headers={"Idempotency-Key": "k"})
    again = rest.put("/v1/providers/mine", said, headers={"Idempotency-Key": "k"})
    kept = rest.put("/v1/providers/mine", {**GOOD, "position": 3})
    seen = rest.get("/v1/providers").content + rest.get("/v1/providers/mine").content
    wrong = rest.put("/v1/providers/mine", {**GOOD, "credentials": {"username": "us", "password": CANARY + "x" * 5000}})

    assert [answer.status_code for answer in (made, again, kept, wrong)] == [201, 201, 200, 400]
    assert made.json()["credentials"] == kept.json()["credentials"] == ["password", "username"]
    assert CANARY.encode() not in seen + made.content + again.content + kept.content + wrong.content
    row = stored(journey, "mine")
    assert row.credentials == {"username": "us", "password": CANARY}
    assert CANARY.encode() not in bytes(row.sealed)
    assert rest.put("/v1/providers/mine", {**GOOD, "credentials": {}}).json()["credentials"] == []


def test_a_provider_is_listed_and_forgotten(rest: APIClient) -> None:
    rest.put("/v1/providers/mine", {**GOOD, "rate": {"count": 5}})
    rest.put("/v1/providers/team", {"kind": "teams", "credentials": {"url": "https://example.com/"}})

    assert [one["key"] for one in rest.get("/v1/providers").json()["items"]] == ["team", "mine"]
    assert [one["rate"] for one in rest.get("/v1/providers?channel=email").json()["items"]] == [
        {"count": 5, "seconds": 1}
    ]
    assert rest.put("/v1/providers/team", GOOD).json()["detail"][0]["path"] == "/kind"  # another channel's
    assert [rest.delete("/v1/providers/team").status_code for _ in range(2)] == [204, 404]


def test_keys_for_push_are_made_once_and_the_public_one_is_shown(rest: APIClient) -> None:
    said = {"kind": "web_push", "config": {"contact": "mailto:ops@example.com"}}

    first = rest.put("/v1/providers/browsers", said).json()
    second = rest.put("/v1/providers/browsers", {**said, "position": 2}).json()

    assert first["config"]["public_key"] == second["config"]["public_key"]
    assert len(first["config"]["public_key"]) == 87
    assert first["credentials"] == ["private_key"]


def test_the_command_stores_lists_and_forgets(tenant: Tenant, tmp_path: Path) -> None:
    plain, secret = tmp_path / "mail.yaml", tmp_path / "secret.yaml"
    plain.write_text("kind: smtp\nconfig: {host: mail.example.com, from: us@example.com}\nrate: {count: 9}\n")
    secret.write_text(f"username: us\npassword: {CANARY}\n")

    def said(*words: str) -> str:
        out = StringIO()
        call_command("providers", *words, "--tenant", tenant.slug, stdout=out)
        return out.getvalue().strip()

    assert said("put", "mail", str(plain), "--credentials", str(secret)) == "mail created"
    assert said("put", "mail", str(plain)) == "mail stored"
    with tenant_scope(tenant.pk):
        assert Provider.objects.get().credentials["password"] == CANARY
    assert "mail" in said("list")
    assert CANARY not in said("list")
    plain.write_text("kind: smtp\nconfig: {}\n")
    with pytest.raises(CommandError, match="/config/host"):
        said("put", "mail", str(plain))
    plain.write_text("kind: smtp\ncolour: red\n")
    with pytest.raises(CommandError, match="colour"):
        said("put", "mail", str(plain))
    assert said("delete", "mail") == "mail deleted"
    with pytest.raises(CommandError):
        said("delete", "mail")


def test_deliveries_show_their_provider(rest: APIClient, journey: Journey, httpserver: HTTPServer) -> None:
    httpserver.expect_request(_ANY).respond_with_data("", 202)
    chat(journey.tenant, "team", httpserver.url_for("/"))
    journey.publish(CHAT, templates=HELLO)
    run = journey.start("bob")
    journey.work()

    (shown,) = rest.get("/v1/deliveries").json()["items"]
    assert (shown["provider"], shown["status"]) == ("team", "delivered")
    assert "team" in json.dumps([one.context for one in journey.trace(run)])
    assert journey.read(lambda: Delivery.objects.filter(provider="team").count()) == 1
