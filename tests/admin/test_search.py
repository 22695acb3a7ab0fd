"""Runs are found by what a person has at hand."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from tests.admin.conftest import Furnished
from workflows.services.start import NewRun, start_runs

RUNS = reverse("admin:workflows_run_changelist")


@pytest.mark.parametrize("term", ["mine_anna", "mine_7", "invoice_id=mine_7", "public_id"])
def test_a_run_is_found(operator: Callable[..., Client], mine: Furnished, term: str):
    start_runs(tenant_id=mine.tenant.pk, definition_key=mine.definition.key, runs=[NewRun(subject="bo")])
    term = str(mine.run.public_id) if term == "public_id" else term

    page = operator(mine.tenant).get(RUNS, {"q": term}).content.decode()

    assert str(mine.run.public_id) in page
    assert ">bo<" not in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"waiting_on": "paid"}, True),
        ({"waiting_on": "other"}, False),
        ({"workflow": "mine_flow"}, True),
        ({"workflow": "other"}, False),
        ({"state__exact": "waiting"}, True),
        ({"state__exact": "failed"}, False),
        ({"attention": "stuck"}, False),
        ({"attention": "failed"}, False),
        ({"attention": "timers"}, False),
    ],
)
def test_a_filter_keeps_what_it_says(
    operator: Callable[..., Client], mine: Furnished, query: dict[str, str], found: bool
):
    page = operator(mine.tenant).get(RUNS, query).content.decode()

    assert (str(mine.run.public_id) in page) is found


def test_the_tenant_filter_offers_ones_own(operator: Callable[..., Client], mine: Furnished, theirs: Furnished):
    client = operator(mine.tenant, theirs.tenant)

    page = client.get(RUNS, {"tenant": mine.tenant.slug}).content.decode()

    assert str(mine.run.public_id) in page
    assert str(theirs.run.public_id) not in page
    assert f"tenant={theirs.tenant.slug}" in page


def test_another_tenants_slug_in_the_filter_finds_nothing(
    operator: Callable[..., Client], mine: Furnished, theirs: Furnished
):
    page = operator(mine.tenant).get(RUNS, {"tenant": theirs.tenant.slug}).content.decode()

    assert str(theirs.run.public_id) not in page
