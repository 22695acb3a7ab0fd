"""Recipients, preferences and categories in the admin: what is personal is masked, and what is said is kept."""

import html
import json
import re
import uuid
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from deliveries.admin import recipients
from deliveries.models import Category, Delivery, Preference, Recipient, SendingRules
from deliveries.recipients.upsert import put_recipient
from deliveries.services.providers import put_provider
from tenants.admin.paging import page_of
from tenants.models import Role
from tenants.scope import tenant_scope
from tests.admin.conftest import Furnished
from tests.deliveries.test_recipients import PUSH
from tests.journeys import drain, publish, run_of, start
from tests.statements import note_statements


def test_a_recipients_page_masks_what_is_personal(operator: Callable[..., Client], mine: Furnished) -> None:
    said = {
        "addresses": {"email": "ada@example.com", "push": [PUSH]},
        "attributes": {"iban": "DE1"},
        "quiet_hours": [{"from": "22:00", "to": "07:00"}],
    }
    row = put_recipient(tenant_id=mine.tenant.pk, external_id="ada", said=said).recipient

    page = operator(mine.tenant).get(page_of(row)).content.decode()

    assert "a***@example.com" in page
    assert "1 addresses" in page
    assert "22:00–07:00" in page
    assert "iban" in page
    assert "ada@example.com" not in page
    assert "DE1" not in page


def test_a_history_shows_what_never_became_a_message_and_turns_its_pages(
    operator: Callable[..., Client], mine: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipients, "MOST_ROWS", 2)
    row = put_recipient(tenant_id=mine.tenant.pk, external_id="ada", said={}).recipient
    slow = {"key": "slow", "kind": "throttle", "window": "PT1H", "threshold": 1}
    publish(mine.tenant, {"key": "slowed", "steps": [slow]})
    stopped = [run_of(mine.tenant, start(mine.tenant, "slowed", "ada")) for _ in range(4) if drain(mine.tenant) or True]
    drain(mine.tenant)
    client = operator(mine.tenant)

    first = client.get(page_of(row)).content.decode()
    older = re.search(r'href="(\?before=[^"]+)"', first)
    assert older is not None
    second = client.get(page_of(row) + older[1]).content.decode()

    assert first.count("Not let through: ") == 2
    assert second.count("Not let through: ") == 1
    assert "?before=" not in second
    for run, page in zip(stopped[1:], [second, first, first], strict=True):
        assert page_of(run) in page


def test_a_rule_is_added_and_changed_as_the_operators_word(operator: Callable[..., Client], mine: Furnished) -> None:
    client = operator(mine.tenant, role=Role.ADMIN)
    about = {"subject": "ada", "category": "", "workflow": "", "channel": "email"}

    added = client.post(reverse("admin:deliveries_preference_add"), {"tenant": mine.tenant.pk, **about})
    with tenant_scope(mine.tenant.pk):
        rule = Preference.objects.get(subject="ada")
    changed = client.post(page_of(rule).replace("change/", "edit/"), {"allowed": "on"})

    assert (added.status_code, changed.status_code) == (302, 302)
    assert (rule.allowed, rule.said_by) == (False, "operator")
    with tenant_scope(mine.tenant.pk):
        assert Preference.objects.get(subject="ada").allowed


def test_a_condition_is_shown_kept_and_changed(operator: Callable[..., Client], mine: Furnished) -> None:
    client = operator(mine.tenant, role=Role.ADMIN)
    small = {"path": "data.amount", "lt": 10}
    about = {"tenant": mine.tenant.pk, "subject": "ada", "category": "", "workflow": "", "channel": "email"}

    def rule() -> Preference:
        with tenant_scope(mine.tenant.pk):
            return Preference.objects.get(subject="ada")

    client.post(reverse("admin:deliveries_preference_add"), about | {"when": json.dumps(small)})
    edit = page_of(rule()).replace("change/", "edit/")
    shown, form = (html.unescape(client.get(url).content.decode()) for url in (page_of(rule()), edit))
    assert (rule().when, rule().allowed) == (small, False)
    assert json.dumps(rule().when) in shown
    assert '"lt": 10' in form

    refused = client.post(edit, {"when": '{"path": "data.amount", "like": 10}'})
    assert "/rules/0/when" in refused.content.decode()
    assert rule().when == small
    client.post(edit, {"allowed": "on", "when": json.dumps(small)})
    assert (rule().when, rule().allowed) == (small, True)
    client.post(edit, {"allowed": "on", "when": ""})
    assert rule().when is None


def test_deliveries_are_filtered_by_provider_without_reading_all_there_ever_were(
    operator: Callable[..., Client], mine: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, url = operator(mine.tenant), reverse("admin:deliveries_delivery_changelist")
    with tenant_scope(mine.tenant.pk):
        Delivery.objects.filter(id=mine.delivery.pk).update(provider="mine", channel="email", category="news")
    put_provider(tenant_id=mine.tenant.pk, key="mine", kind="teams", credentials={"url": "https://example.com/"})
    statements: list[str] = []
    note_statements(monkeypatch, statements)

    def found(**query: str) -> bool:
        return str(mine.delivery.public_id)[:8] in client.get(url, query).content.decode()

    assert (found(provider="mine"), found(provider="other")) == (True, False)
    assert (found(channel="email"), found(channel="sms")) == (True, False)
    assert (found(category="news"), found(category="bills")) == (True, False)
    assert found(status="delivered")
    asked = [one for one in statements if "DISTINCT" in one and "deliveries_delivery" in one]
    assert asked == []  # what there is to choose is not looked for among the deliveries

    old = uuid.UUID(int=mine.delivery.public_id.int - (8 * 86_400_000 << 80))
    with tenant_scope(mine.tenant.pk):
        Delivery.objects.filter(id=mine.delivery.pk).update(public_id=old)
    assert str(old)[:8] not in client.get(url, {"provider": "mine"}).content.decode()


def test_a_fault_of_a_rule_is_shown_beside_its_field(operator: Callable[..., Client], mine: Furnished) -> None:
    client = operator(mine.tenant, role=Role.ADMIN)

    page = client.post(
        reverse("admin:deliveries_preference_add"), {"tenant": mine.tenant.pk, "subject": "ada", "category": "nwes"}
    )

    assert "/rules/0/category: One of " in page.content.decode()
    with tenant_scope(mine.tenant.pk):
        assert not Preference.objects.filter(subject="ada").exists()


def test_a_category_is_made_required(operator: Callable[..., Client], mine: Furnished) -> None:
    client = operator(mine.tenant, role=Role.ADMIN)
    with tenant_scope(mine.tenant.pk):
        row = Category.objects.get()

    answer = client.post(page_of(row).replace("change/", "edit/"), {"name": "News", "required": "on"})

    assert answer.status_code == 302
    with tenant_scope(mine.tenant.pk):
        assert Category.objects.get().required


def test_a_viewer_changes_nothing(operator: Callable[..., Client], mine: Furnished) -> None:
    client = operator(mine.tenant, role=Role.VIEWER)

    refused = client.post(reverse("admin:deliveries_category_add"), {"tenant": mine.tenant.pk, "key": "mine"})

    assert refused.status_code == 403
    with tenant_scope(mine.tenant.pk):
        assert (Category.objects.count(), Recipient.objects.count()) == (1, 1)


def test_what_is_held_and_what_was_withheld_can_be_looked_for(operator: Callable[..., Client], mine: Furnished) -> None:
    client, url = operator(mine.tenant), reverse("admin:deliveries_delivery_changelist")
    with tenant_scope(mine.tenant.pk):
        Delivery.objects.filter(id=mine.delivery.pk).update(status="planned", held_by="cap")

    def found(attention: str) -> bool:
        return str(mine.delivery.public_id)[:8] in client.get(url, {"attention": attention}).content.decode()

    assert (found("held"), found("withheld")) == (True, False)
    with tenant_scope(mine.tenant.pk):
        Delivery.objects.filter(id=mine.delivery.pk).update(status="suppressed", held_by="")
    assert (found("held"), found("withheld")) == (False, True)


def test_a_recipients_page_says_what_became_of_their_messages(operator: Callable[..., Client], mine: Furnished) -> None:
    with tenant_scope(mine.tenant.pk):
        row = Recipient.objects.get()

    page = operator(mine.tenant).get(page_of(row)).content.decode()

    assert "What was sent or withheld, and why" in page
    assert "Sent at " in page
    assert page_of(mine.delivery) in page


def test_sending_rules_are_changed_and_their_faults_shown(operator: Callable[..., Client], mine: Furnished) -> None:
    client = operator(mine.tenant, role=Role.ADMIN)
    with tenant_scope(mine.tenant.pk):
        row = SendingRules.objects.get()
    edit = page_of(row).replace("change/", "edit/")

    bad = client.post(edit, {"quiet_hours": '[{"from": "22:00"}]', "caps": "[]"})
    good = client.post(edit, {"quiet_hours": '[{"from": "21:00", "to": "06:00"}]', "caps": "[]"})

    assert "/quiet_hours/0/to" in bad.content.decode()
    assert good.status_code == 302
    with tenant_scope(mine.tenant.pk):
        assert SendingRules.objects.get().quiet_hours == [{"from": "21:00", "to": "06:00"}]
