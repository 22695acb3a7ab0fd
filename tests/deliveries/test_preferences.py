"""Preferences: which rule counts, whoever said it, and that it is asked when planned and again when sent."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from chimeway_py.embedded.mailbox import Mailbox
from deliveries.models import Category, Preference
from deliveries.preferences.deciding import About, Rule, decide
from tenants.models import Tenant
from tests.deliveries.conftest import Journey
from tests.journeys import rows_of
from workflows.explain import explain_run

HELLO = {"hello": {"subject": "Hello", "text": "t"}}
MAIL = {"channel": "email", "template": "hello", "to": "data.email", "category": "news"}
YES, NO = True, False
MESSAGE = About(category="news", workflow="weekly", channel="email")

CASES = [
    # own rules, the tenant's, whether it may go out, who decided
    ([], [], YES, "nobody"),
    ([Rule(NO, category="news")], [], NO, "recipient"),
    ([Rule(NO, category="bills")], [], YES, "nobody"),
    ([Rule(NO)], [], NO, "recipient"),
    ([Rule(NO), Rule(YES, category="news")], [], YES, "recipient"),  # the more exact counts
    ([Rule(NO, channel="email"), Rule(YES, category="news")], [], NO, "recipient"),  # exact in different ways: no
    ([Rule(NO, channel="email"), Rule(YES, category="news", channel="email")], [], YES, "recipient"),
    ([Rule(YES, workflow="weekly"), Rule(NO, category="news")], [], YES, "recipient"),
    ([Rule(YES, workflow="weekly"), Rule(NO, category="news", channel="email")], [], NO, "recipient"),
    ([Rule(YES, workflow="weekly", channel="email"), Rule(NO, category="news", channel="email")], [], YES, "recipient"),
    ([], [Rule(NO, category="news")], NO, "tenant_default"),
    (
        [Rule(YES)],
        [Rule(NO, workflow="weekly", channel="email")],
        YES,
        "recipient",
    ),  # their own word before any default
    ([Rule(NO, category="bills")], [Rule(NO, channel="email")], NO, "tenant_default"),
    ([Rule(NO, when={"path": "data.size", "lt": 10})], [], NO, "recipient"),
    ([Rule(NO, when={"path": "data.size", "gt": 10})], [], YES, "nobody"),
    ([Rule(NO, when={"path": "data.missing", "gt": 10})], [], YES, "nobody"),
    ([Rule(NO, when={"path": "recipient.attributes.vip", "eq": True})], [], NO, "recipient"),
]


@pytest.mark.parametrize(("own", "defaults", "allowed", "layer"), CASES)
def test_which_rule_counts(own: list[Rule], defaults: list[Rule], allowed: bool, layer: str) -> None:
    facts = {"data": {"size": 5}, "recipient": {"attributes": {"vip": True}}}

    said = decide(MESSAGE, facts, is_required=False, own=own, defaults=defaults)
    turned = decide(MESSAGE, facts, is_required=False, own=own[::-1], defaults=defaults[::-1])

    assert (said.allowed, said.layer) == (allowed, layer)
    assert said == turned  # the order in which rules are stored means nothing


def test_nobody_refuses_what_is_required() -> None:
    said = decide(MESSAGE, {}, is_required=True, own=[Rule(NO)], defaults=[Rule(NO)])

    assert (said.allowed, said.layer, said.rule) == (True, "required_category", "category news is required")


@pytest.fixture
def news(rest: APIClient, journey: Journey) -> Journey:
    """A journey with one mail about news."""
    rest.put("/v1/categories/news", {"name": "News of the week"})
    journey.publish(MAIL, templates=HELLO)
    return journey


def say(rest: APIClient, subject: str, *rules: dict[str, Any]) -> Any:
    """Store a recipient's rules."""
    return rest.put(f"/v1/recipients/{subject}/preferences", {"rules": list(rules)})


REFUSED = {"category": "news", "channel": "email", "allowed": False}


def test_a_refused_message_is_suppressed_when_it_is_planned_and_says_by_whom(
    rest: APIClient, news: Journey, tenant: Tenant
) -> None:
    say(rest, "anna", REFUSED)

    run = news.start("anna", email="anna@example.com")

    delivery = news.delivery(run)
    shown = rest.get(f"/v1/deliveries/{delivery.public_id}").json()
    explained = explain_run(tenant_id=tenant.pk, public_id=run.public_id)
    assert (delivery.status, delivery.error, news.attempts(run)) == ("suppressed", "preference", [])
    assert (shown["decided_by"], shown["decided_rule"]) == ("recipient", "no to category news, channel email")
    assert run.state == "completed"
    assert "“step_1” was suppressed by the recipient: no to category news, channel email." in explained.sentence
    assert "fail" not in explained.sentence.lower()
    assert explained.last_outcome is not None
    assert explained.last_outcome.decided_by == "recipient"


def test_a_refusal_that_comes_between_planning_and_sending_counts(
    rest: APIClient, news: Journey, smtp_sink: Mailbox
) -> None:
    run = news.start("anna", email="late-refusal@example.com")
    planned = news.delivery(run)
    say(rest, "anna", REFUSED)

    news.work()

    sent = news.delivery(run)
    assert (planned.status, planned.decided_by) == ("planned", "nobody")
    assert (sent.status, sent.error, sent.decided_by) == ("suppressed", "preference", "recipient")
    assert smtp_sink.to("late-refusal@example.com") == []
    assert news.attempts(run) == [(1, "suppressed", "preference")]
    assert news.run(run).state == "completed"


def test_a_permission_that_comes_back_counts_too(rest: APIClient, news: Journey, smtp_sink: Mailbox) -> None:
    rest.put("/v1/preference-defaults", {"rules": [REFUSED]})
    say(rest, "anna", REFUSED | {"allowed": True})

    run = news.start("anna", email="opted-in@example.com")
    news.work()
    other = news.start("eve", email="not-opted-in@example.com")

    assert (news.delivery(run).status, news.delivery(run).decided_by) == ("delivered", "recipient")
    assert (news.delivery(other).status, news.delivery(other).decided_by) == ("suppressed", "tenant_default")


def test_a_required_category_goes_out_and_says_why(rest: APIClient, news: Journey, smtp_sink: Mailbox) -> None:
    say(rest, "anna", REFUSED, {"allowed": False})
    rest.put("/v1/categories/news", {"required": True})

    run = news.start("anna", email="required@example.com")
    news.work()

    assert (news.delivery(run).status, news.delivery(run).decided_by) == ("delivered", "required_category")
    refused = say(rest, "anna", REFUSED)
    assert refused.json()["detail"][0]["code"] == "required_category"


def test_a_rule_of_the_run_may_follow_on_suppressed(rest: APIClient, journey: Journey) -> None:
    say(rest, "anna", {"channel": "in_app", "allowed": False})
    other = {"on_outcome": {"suppressed": {"stop": "they_said_no"}}}
    journey.publish({"channel": "in_app", "template": "hello", **other}, templates=HELLO)

    run = journey.start("anna")

    assert (run.state, run.terminal_reason, journey.inbox("anna")) == ("stopped", "they_said_no", [])


def test_the_category_of_the_definition_is_that_of_its_messages(
    rest: APIClient, tenant: Tenant, journey: Journey
) -> None:
    from workflows.services.definitions import ensure_definition

    rest.put("/v1/categories/news", {})
    rest.put("/v1/categories/bills", {})
    step = {"kind": "deliver", "channel": "in_app", "template": "hello"}
    steps = [step | {"key": "one"}, step | {"key": "two", "category": "bills"}]
    document = {"key": journey.key, "category": "news", "templates": HELLO, "steps": steps}
    ensure_definition(tenant_id=tenant.pk, document=document)

    run = journey.start("anna")

    assert [one.category for one in journey.deliveries(run)] == ["news", "bills"]


def test_a_category_that_nobody_named_is_a_fault(rest: APIClient) -> None:
    step = {"key": "one", "kind": "deliver", "channel": "in_app", "template": "hello"}
    documents = [
        {"key": "a", "templates": HELLO, "steps": [step | {"category": "nwes"}]},
        {"key": "b", "templates": HELLO, "category": "nwes", "steps": [step, step | {"key": "two"}]},
    ]

    told = [rest.post("/v1/definitions", document).json() for document in documents]

    assert [[one["path"] for one in said["detail"]] for said in told] == [["/steps/0/category"], ["/category"]]


BAD = [
    ({"rules": [{"category": "nwes", "allowed": True}]}, "/rules/0/category", "unknown_category"),
    ({"rules": [{"channel": "smoke", "allowed": True}]}, "/rules/0/channel", "unknown_channel"),
    ({"rules": [{"category": ["news"], "allowed": True}]}, "/rules/0/category", "unknown_category"),
    ({"rules": [{"channel": {"a": None}, "allowed": True}]}, "/rules/0/channel", "unknown_channel"),
    ({"rules": [{"channel": "email"}]}, "/rules/0/allowed", "missing"),
    ({"rules": [{"channel": "email", "allowed": "no"}]}, "/rules/0/allowed", "bad_type"),
    ({"rules": [{"allowed": None}]}, "/rules/0/allowed", "bad_type"),
    ({"rules": [{"allowed": True}, {"allowed": False}]}, "/rules/1", "repeated"),
    ({"rules": [{"allowed": True, "when": {"path": "signal.name", "eq": 1}}]}, "/rules/0/when/path", "path"),
    ({"rules": [{"allowed": True, "who": "me"}]}, "/rules/0/who", "unknown_key"),
    ({"rules": [{"category": "news", "workflow": "w", "allowed": True}]}, "/rules/0/workflow", "conflict"),
    ({"rules": ["no"]}, "/rules/0", "bad_type"),
    ({"rules": {}}, "/rules", "bad_length"),
    ({"rules": [], "more": 1}, "/more", "unknown_key"),
    ({"rules": [{"allowed": True, "workflow": "x" * 65}]}, "/rules/0/workflow", "bad_key"),
    ({"rules": [{"allowed": False, "workflow": "weekly_new"}]}, "/rules/0/workflow", "unknown_workflow"),
]


@pytest.mark.parametrize(("body", "path", "code"), BAD)
def test_a_bad_rule_is_named_and_nothing_is_written(
    body: dict[str, Any], path: str, code: str, rest: APIClient, tenant: Tenant
) -> None:
    rest.put("/v1/categories/news", {})

    for place in ("/v1/recipients/anna/preferences", "/v1/preference-defaults"):
        answer = rest.put(place, body)

        assert answer.status_code == 400
        assert (answer.json()["detail"][0]["path"], answer.json()["detail"][0]["code"]) == (path, code)
    assert rows_of(tenant, (Preference,)) == [0]


def test_patch_changes_what_it_names_and_takes_away_what_is_null(rest: APIClient) -> None:
    step = {"key": "one", "kind": "deliver", "channel": "in_app", "template": "hello"}
    rest.post("/v1/definitions", {"key": "weekly", "templates": HELLO, "steps": [step]})  # a draft is enough
    say(rest, "anna", {"channel": "email", "allowed": False}, {"channel": "in_app", "allowed": False})

    answer = rest.patch(
        "/v1/recipients/anna/preferences",
        {"rules": [{"channel": "email", "allowed": None}, {"workflow": "weekly", "allowed": True}]},
    )

    about = [(one["workflow"], one["channel"], one["allowed"]) for one in answer.json()["items"]]
    assert about == [("", "in_app", False), ("weekly", "", True)]
    assert rest.get("/v1/recipients/anna/preferences").json() == answer.json()


def test_an_empty_category_workflow_or_channel_is_any(rest: APIClient) -> None:
    say(rest, "anna", {"channel": "email", "allowed": False}, {"allowed": True})
    read = rest.get("/v1/recipients/anna/preferences").json()["items"]

    rules = [{name: rule[name] for name in ("category", "workflow", "channel", "allowed")} for rule in read]
    answer = rest.put("/v1/recipients/anna/preferences", {"rules": rules})

    assert (answer.status_code, answer.json()["items"]) == (200, read)


def test_categories_are_put_and_listed(rest: APIClient, tenant: Tenant) -> None:
    made = rest.put("/v1/categories/news", {"name": "News"})
    again = rest.put("/v1/categories/news", {"name": "News", "required": True})
    bad = [rest.put("/v1/categories/N ews", {}), rest.put("/v1/categories/x", {"requird": True})]

    assert (made.status_code, again.status_code) == (201, 200)
    assert rest.get("/v1/categories").json()["items"][0]["required"] is True
    assert [answer.status_code for answer in bad] == [400, 400]
    assert rows_of(tenant, (Category,)) == [1]
