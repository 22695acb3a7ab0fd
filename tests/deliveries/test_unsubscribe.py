"""One-click unsubscribe: the headers of a mail, a page that changes nothing until it is posted, and links that lie."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from rest_framework.test import APIClient

from chimeway_py.embedded.mailbox import Mailbox
from deliveries.models import Preference
from deliveries.preferences.unsubscribe import token_of
from tenants.models import Tenant
from tests.deliveries.conftest import Journey
from tests.journeys import rows_of

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
    assert "News of the week" in page.content.decode()

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
    lies = [
        link[:-4],
        link[:-2] + ("AA" if link[-2:] != "AA" else "BB"),
        "/unsubscribe/x",
        "/unsubscribe/" + "A" * 54,
        "/unsubscribe/" + "_" * 400,
        f"/unsubscribe/{token_of(moved)}",  # well made, by a key of the other tenant's, which has no such delivery
    ]

    for lie in lies:
        assert [Client().get(lie).status_code, Client().post(lie).status_code] == [404, 404], lie
    assert rows_of(tenant, (Preference,)) == rows_of(other_tenant, (Preference,)) == [0]
    assert Client().put(link).status_code == 405


def _deliveries(tenant: Tenant) -> Any:
    from deliveries.models import Delivery

    return Delivery.objects.for_tenant(tenant.pk)
