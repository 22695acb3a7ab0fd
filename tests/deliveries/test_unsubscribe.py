"""One-click unsubscribe: the headers of a mail, a page that changes nothing until it is posted, and links that lie."""

from base64 import urlsafe_b64decode
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from rest_framework.test import APIClient

from chimeway_py.embedded.mailbox import Mailbox
from deliveries.models import Delivery, Preference
from deliveries.preferences.links import _text, short_token_of, token_of
from tenants.models import Tenant
from tests.deliveries.conftest import Journey
from tests.journeys import rows_of
from tests.retention.conftest import aged, keep, prune

HELLO = {"hello": {"subject": "Hello", "text": "t"}}
MAIL = {"channel": "email", "template": "hello", "to": "data.email", "category": "news"}


@pytest.fixture
def news(rest: APIClient, journey: Journey, settings: Any) -> Journey:
    """A journey with one mail about news, sent by a service that people can reach."""
    settings.PUBLIC_URL = "https://notify.example.com/"
    rest.put("/v1/categories/news", {"name": "News of the week"})
    journey.publish(MAIL, templates=HELLO)
    return journey


def sent(journey: Journey, mailbox: Mailbox) -> Any:
    """A mail to an address of its own, as it arrived."""
    address = f"{uuid4().hex}@example.com"
    journey.start("anna", email=address)
    journey.work()
    (mail,) = mailbox.to(address)
    return mail


def link_in(mail: Any) -> str:
    """The path of the address in the header."""
    return (
        str(mail["List-Unsubscribe"])
        .replace("\n", "")
        .replace(" ", "")
        .strip("<>")
        .removeprefix("https://notify.example.com")
    )


def test_a_mail_says_how_to_unsubscribe(news: Journey, smtp_sink: Mailbox) -> None:
    mail = sent(news, smtp_sink)

    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert link_in(mail).startswith("/unsubscribe/")
    assert "anna" not in link_in(mail)


def test_looking_changes_nothing_and_one_click_unsubscribes(news: Journey, smtp_sink: Mailbox, tenant: Tenant) -> None:
    link = link_in(sent(news, smtp_sink))
    browser = Client(enforce_csrf_checks=True)

    page = browser.get(link)
    assert (page.status_code, rows_of(tenant, (Preference,))) == (200, [0])
    assert f"{tenant.name} will send you no more email about “News of the week”" in page.content.decode()

    click = "List-Unsubscribe=One-Click"
    done = browser.post(link, click, content_type="application/x-www-form-urlencoded")
    again = browser.post(link, click, content_type="application/x-www-form-urlencoded")
    assert (done.status_code, again.status_code, rows_of(tenant, (Preference,))) == (200, 200, [1])
    assert "You are unsubscribed" in done.content.decode()
    assert "You are unsubscribed" in browser.get(link).content.decode()

    run = news.start("anna", email="after@example.com")
    delivery = news.delivery(run)
    assert (delivery.status, delivery.decided_by) == ("suppressed", "recipient")
    assert delivery.decided_rule == "no to category news, channel email"


def test_the_page_keeps_to_the_content_policy(news: Journey, smtp_sink: Mailbox) -> None:
    page = Client().get(link_in(sent(news, smtp_sink)))
    text = page.content.decode()

    assert "default-src 'self'" in page["Content-Security-Policy"]
    assert "<script" not in text
    assert "style=" not in text
    assert "<style" not in text
    assert "no-store" in page["Cache-Control"]
    assert page.cookies == {}


def test_without_a_category_it_is_the_workflow_that_is_refused(
    journey: Journey, smtp_sink: Mailbox, settings: Any
) -> None:
    settings.PUBLIC_URL = "https://notify.example.com"
    journey.publish({name: value for name, value in MAIL.items() if name != "category"}, templates=HELLO)
    link = link_in(sent(journey, smtp_sink))

    Client().post(link)

    [rule] = journey.read(lambda: list(Preference.objects.filter(tenant_id=journey.tenant.pk)))
    assert (rule.subject, rule.workflow, rule.channel, rule.said_by) == ("anna", journey.key, "email", "unsubscribe")


def test_what_is_required_and_what_nobody_can_reach_has_no_link(
    rest: APIClient, news: Journey, smtp_sink: Mailbox, settings: Any
) -> None:
    settings.PUBLIC_URL = ""
    unreachable = sent(news, smtp_sink)
    settings.PUBLIC_URL = "https://notify.example.com"
    rest.put("/v1/categories/news", {"required": True})
    required = sent(news, smtp_sink)

    assert [mail["List-Unsubscribe"] for mail in (unreachable, required)] == [None, None]


IN_CATEGORY = {"category": "news", "channel": "email"}


@pytest.mark.parametrize(
    ("own", "defaults"),
    [
        pytest.param([{"workflow": "W", "channel": "email"}], [], id="workflow and channel"),
        pytest.param([{"workflow": "W"}], [], id="workflow"),
        pytest.param([IN_CATEGORY, {"category": "news"}], [], id="category"),
        pytest.param([{"channel": "email"}, {}], [], id="everything"),
        pytest.param([{"workflow": "W", "channel": "email", "when": True}], [], id="workflow under a condition"),
        pytest.param([{**IN_CATEGORY, "when": True}], [], id="category under a condition"),
        pytest.param([], [{"workflow": "W", "channel": "email"}, IN_CATEGORY], id="defaults"),
        pytest.param([{"workflow": "V", "channel": "email"}], [{"workflow": "V", "channel": "email"}], id="another"),
    ],
)
def test_after_a_click_the_very_next_one_is_withheld_whoever_said_yes(
    rest: APIClient, news: Journey, smtp_sink: Mailbox, own: list[Any], defaults: list[Any]
) -> None:
    """Every layer that may say yes, of the workflow whose mail it was and of another one of the same category."""
    other = Journey(news.tenant)
    other.publish(MAIL, templates=HELLO)
    link = link_in(sent(news, smtp_sink))
    for address, said in (("recipients/anna/preferences", own), ("preference-defaults", defaults)):
        rules = [_yes(rule, {"W": news.key, "V": other.key}) for rule in said]
        assert rest.put(f"/v1/{address}", {"rules": rules}).status_code == 200
    assert "Unsubscribe?" in Client().get(link).content.decode()

    page = Client().post(link)

    runs = [(one, one.start("anna", email="next@example.com", size=5)) for one in (news, other)]
    found = [one.delivery(run) for one, run in runs]
    assert {(one.status, one.decided_by) for one in found} == {("suppressed", "recipient")}
    assert (page.status_code, smtp_sink.to("next@example.com")) == (200, [])
    assert "You are unsubscribed" in Client().get(link).content.decode()


def _yes(rule: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    said = {**rule, "allowed": True}
    if "workflow" in said:
        said["workflow"] = names[said["workflow"]]
    return said | ({"when": {"path": "data.size", "eq": 5}} if "when" in said else {})


def test_a_yes_to_what_the_mail_was_not_about_stays(rest: APIClient, news: Journey, smtp_sink: Mailbox) -> None:
    """Of another category, or over another channel."""
    other = Journey(news.tenant)
    rest.put("/v1/categories/bills", {})
    other.publish({**MAIL, "category": "bills"}, templates=HELLO)
    link = link_in(sent(news, smtp_sink))
    yes = [{"workflow": other.key, "channel": "email"}, {"workflow": news.key, "channel": "in_app"}]
    rest.put("/v1/recipients/anna/preferences", {"rules": [{**rule, "allowed": True} for rule in yes]})

    Client().post(link)

    rules = rest.get("/v1/recipients/anna/preferences").json()["items"]
    assert {(one["workflow"], one["channel"]) for one in rules if one["allowed"]} == {
        (one["workflow"], one["channel"]) for one in yes
    }


def test_what_became_required_cannot_be_refused(
    rest: APIClient, news: Journey, smtp_sink: Mailbox, tenant: Tenant
) -> None:
    link = link_in(sent(news, smtp_sink))
    refused = Client().post(link)
    rest.put("/v1/categories/news", {"name": "Codes", "required": True})
    rest.put("/v1/recipients/anna/preferences", {"rules": []})

    page, posted = Client().get(link), Client().post(link)

    assert (refused.status_code, page.status_code, posted.status_code) == (200, 200, 409)
    assert all("cannot be refused" in one.content.decode() for one in (page, posted))
    assert "<form" not in page.content.decode()
    assert rows_of(tenant, (Preference,)) == [0]
    assert len(rest.get("/v1/signals").json()["items"]) == 1, "nobody is told of what did not happen"


def test_a_link_outlives_its_delivery_and_one_of_before_works_while_that_is_there(
    news: Journey, smtp_sink: Mailbox, tenant: Tenant
) -> None:
    link = link_in(sent(news, smtp_sink))
    [delivery] = news.read(lambda: list(_deliveries(tenant)))
    before = f"/unsubscribe/{short_token_of(delivery)}"
    assert "News of the week" in Client().get(before).content.decode()
    aged(tenant, delivery.run_id, 100)
    keep(tenant)
    assert prune(tenant)["delivery"] == 1

    assert Client().post(before).status_code == 404
    assert Client().post(link).status_code == 200
    assert news.delivery(news.start("anna", email="after@example.com")).decided_rule == (
        "no to category news, channel email"
    )


def test_links_are_short_hold_nothing_personal_and_never_change(tenant: Tenant, settings: Any) -> None:
    """An id so long that the line of a mail would be too long gets a link that names the delivery instead."""
    about = {"tenant_id": tenant.pk, "channel": "email", "category": "news", "definition_key": "weekly"}
    links = {
        subject: token_of(Delivery(**about, subject=subject, public_id=uuid4()))
        for subject in ("anna", "a" * 200, "я" * 200, "😀" * 200)
    }

    assert {subject: len(token) < 900 for subject, token in links.items()} == dict.fromkeys(links, True)
    assert (len(links["anna"]) < 80, len(links["😀" * 200])) == (True, 54)
    assert links["anna"] == token_of(Delivery(**about, subject="anna", public_id=uuid4()))
    assert not any(word in urlsafe_b64decode(links["anna"] + "==") for word in (b"anna", b"news", b"weekly"))


def test_the_link_is_a_variable_of_templates(
    rest: APIClient, news: Journey, smtp_sink: Mailbox, settings: Any, tenant: Tenant
) -> None:
    """The same link as in the header; of a preview one that leads nowhere; nothing where nothing may be refused."""
    text = "{% if unsubscribe_url %}No more: {{ unsubscribe_url }}{% else %}Has to be{% endif %}"
    said = {"channel": "email", "subject": "Hello", "text": text, "html": '<a href="{{ unsubscribe_url }}">No more</a>'}
    frame = {"channel": "email", "is_layout": True, "text": "{{ content }} {{ unsubscribe_url }}"}
    assert rest.put("/v1/templates/frame", frame).status_code == 201
    assert rest.put("/v1/templates/hello", {**said, "layout": "frame"}).status_code == 201
    news.publish(MAIL)
    before = rows_of(tenant, (Delivery, Preference))
    preview = rest.post("/v1/templates/hello/preview", {"channel": "email"}).json()["content"]
    sample = "https://notify.example.com/unsubscribe/sample"
    assert preview["text"] == f"No more: {sample} {sample}"
    assert (Client().get("/unsubscribe/sample").status_code, rows_of(tenant, (Delivery, Preference))) == (404, before)

    mail = sent(news, smtp_sink)
    plain, rich = (part.get_payload(decode=True).decode() for part in mail.get_payload())
    address = f"https://notify.example.com{link_in(mail)}"
    assert plain.strip() == f"No more: {address} {address}"
    assert f'href="{address}"' in rich
    rest.put("/v1/categories/news", {"required": True})
    assert sent(news, smtp_sink).get_payload()[0].get_payload(decode=True).decode().strip() == "Has to be"


def test_a_signal_tells_of_it_once(
    news: Journey, smtp_sink: Mailbox, tenant: Tenant, rest: APIClient, together: Any
) -> None:
    link = link_in(sent(news, smtp_sink))

    together(*[lambda: Client().post(link)] * 3)
    first = rest.get("/v1/signals").json()["items"]
    rules = [{"category": "news", "channel": "email", "allowed": True}]
    rest.put("/v1/recipients/anna/preferences", {"rules": rules})
    Client().post(link)

    [signal] = first
    assert (signal["name"], signal["subject"]) == ("recipient.unsubscribed", "anna")
    assert signal["correlation"] == {"category": "news", "channel": "email"}
    assert len(rest.get("/v1/signals").json()["items"]) == 2, "who came back and left again is told of again"


def test_a_link_that_lies_is_not_found(news: Journey, smtp_sink: Mailbox, tenant: Tenant, other_tenant: Tenant) -> None:
    link = link_in(sent(news, smtp_sink))
    [delivery] = news.read(lambda: list(_deliveries(tenant)))
    moved = type(delivery)(tenant_id=other_tenant.pk, public_id=delivery.public_id)
    elsewhere = bytearray(urlsafe_b64decode(link.removeprefix("/unsubscribe/") + "=="))
    elsewhere[1:9] = other_tenant.pk.to_bytes(8, "big")
    lies = [
        link[:-4],
        link[:-2] + ("AA" if link[-2:] != "AA" else "BB"),
        "/unsubscribe/x",
        "/unsubscribe/" + "A" * 54,
        "/unsubscribe/" + "_" * 400,
        f"/unsubscribe/{short_token_of(moved)}",  # by a key of the other tenant's, who has no such delivery
        f"/unsubscribe/{_text(bytes(elsewhere))}",  # wrapped by this tenant's key, and put before the other one
    ]

    for lie in lies:
        assert [Client().get(lie).status_code, Client().post(lie).status_code] == [404, 404], lie
    assert rows_of(tenant, (Preference,)) == rows_of(other_tenant, (Preference,)) == [0]
    assert Client().put(link).status_code == 405


def _deliveries(tenant: Tenant) -> Any:
    return Delivery.objects.for_tenant(tenant.pk)
