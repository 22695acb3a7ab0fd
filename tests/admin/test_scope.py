"""An operator sees the tenants of their memberships and nothing else, wherever they look."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from tenants.admin.base import TenantAdmin
from tenants.admin.paging import page_of, ref_of
from tests.admin.conftest import Furnished, furnish

LISTS = sorted(
    f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
    for model, served in admin.site._registry.items()
    if isinstance(served, TenantAdmin)
)


def shown(client: Client, url: str, **query: str) -> str:
    response = client.get(url, query)
    assert response.status_code == 200, (url, response.status_code)
    return response.content.decode()


@pytest.fixture(scope="module")
def both(_open_database: None) -> tuple[Furnished, Furnished]:
    """Two tenants that nothing here changes."""
    return furnish("mine"), furnish("theirs")


@pytest.mark.parametrize("name", LISTS)
def test_a_list_shows_own_rows_only(operator: Callable[..., Client], both: tuple[Furnished, Furnished], name: str):
    mine, theirs = both
    client = operator(mine.tenant)

    for query in ({}, {"q": "theirs_anna"}, {"q": "theirs"}, {"q": str(theirs.run.public_id)}, {"q": "theirs_7"}):
        page = shown(client, reverse(name), **query)
        page = page.replace(query.get("q", "\0"), "")  # the search box says what was searched for

        assert "theirs" not in page
        assert str(theirs.run.public_id) not in page


def test_every_list_shows_something_of_ones_own(operator: Callable[..., Client], mine: Furnished):
    client = operator(mine.tenant)

    empty = [
        name
        for name in LISTS
        if "0 results" in shown(client, reverse(name)) or "result_list" not in shown(client, reverse(name))
    ]

    made_by_deeds = {"signals_app_subjecterasure", "tenants_operatoraction", "workflows_steprun"}
    assert set(empty) <= {f"admin:{name}_changelist" for name in made_by_deeds}


def test_pages_of_ones_own_rows_open(operator: Callable[..., Client], mine: Furnished):
    client = operator(mine.tenant)

    for row in mine.rows:
        assert mine.mark in shown(client, page_of(row)) or str(row.public_id) in shown(client, page_of(row))


def test_pages_of_another_tenants_rows_are_missing(operator: Callable[..., Client], mine: Furnished, theirs: Furnished):
    client = operator(mine.tenant)

    for row in theirs.rows:
        for view in ("change", "history", "edit", "rotate"):
            url = page_of(row).replace("change/", f"{view}/")
            missing = url.replace(
                ref_of(row), "01900000-0000-7000-8000-000000000000" if ref_of(row) != str(row.pk) else "0"
            )
            theirs_answer, nobodys = client.get(url, follow=True), client.get(missing, follow=True)
            assert (theirs_answer.status_code, nobodys.status_code) == (404, 404), url
            assert theirs_answer.content == nobodys.content


def test_an_action_on_another_tenants_rows_finds_none(
    operator: Callable[..., Client], mine: Furnished, theirs: Furnished
):
    client = operator(mine.tenant)
    posted = {"action": "cancel", "_selected_action": [theirs.run.pk], "confirmed": "1", "reason": "mischief"}

    client.post(reverse("admin:workflows_run_changelist"), posted)

    assert state_of(theirs) == "waiting"


def test_a_row_cannot_be_made_in_another_tenant(operator: Callable[..., Client], mine: Furnished, theirs: Furnished):
    client = operator(mine.tenant)
    posted = {"tenant": theirs.tenant.pk, "key": "x", "channel": "in_app", "text": "Hi"}

    response = client.post(reverse("admin:deliveries_template_add"), posted)

    assert "Select a valid choice" in response.content.decode()


def test_completion_offers_ones_own(operator: Callable[..., Client], mine: Furnished, theirs: Furnished):
    asked = {"app_label": "workflows", "model_name": "run", "field_name": "definition", "term": "flow"}

    answer = operator(mine.tenant).get(reverse("admin:autocomplete"), asked).json()

    assert [one["text"] for one in answer["results"]] == ["mine_flow v1"]


def test_completion_of_accounts_is_for_superusers(operator: Callable[..., Client], mine: Furnished):
    asked = {"app_label": "tenants", "model_name": "membership", "field_name": "user", "term": "op"}

    assert operator(mine.tenant).get(reverse("admin:autocomplete"), asked).status_code == 403


@pytest.mark.parametrize("superuser", [False, True])
def test_without_a_membership_there_is_nothing(operator: Callable[..., Client], theirs: Furnished, superuser: bool):
    client = operator(superuser=superuser)

    assert "not a member of any tenant" in shown(client, reverse("admin:index"))
    assert client.get(page_of(theirs.run)).status_code == 404
    response: Any = client.get(reverse("admin:workflows_run_changelist"))
    assert response.status_code == 403


def test_the_admins_own_log_stays_empty(operator: Callable[..., Client], mine: Furnished):
    from django.contrib.admin.models import LogEntry

    before = LogEntry.objects.count()
    client = operator(mine.tenant)

    client.post(
        reverse("admin:deliveries_template_add"),
        {"tenant": mine.tenant.pk, "key": "x", "channel": "in_app", "text": "Hi"},
    )

    assert LogEntry.objects.count() == before


def test_nobody_signed_in_is_asked_to(mine: Furnished):
    response = Client().get(page_of(mine.run))

    assert response.status_code == 302
    assert response.headers["Location"].startswith("/admin/login/")


def state_of(furnished: Furnished) -> str:
    from tenants.scope import tenant_scope
    from workflows.models import Run

    with tenant_scope(furnished.tenant.pk):
        return Run.objects.get(id=furnished.run.pk).state
