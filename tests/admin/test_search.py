"""Runs are found by what a person has at hand."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from tests.admin.conftest import Furnished, furnish
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


def test_pages_of_several_tenants_are_merged_newest_first(operator: Callable[..., Client], mine: Furnished):
    second = furnish("second")
    for number in range(70):
        furnished = (mine, second)[number % 2]
        new = NewRun(subject=f"number-{number:03}")
        start_runs(tenant_id=furnished.tenant.pk, definition_key=furnished.definition.key, runs=[new])
    client = operator(mine.tenant, second.tenant)

    pages = [client.get(RUNS, {"p": number}).content.decode() for number in (1, 2)]

    shown = [re.findall(r"number-(\d{3})", page) for page in pages]
    assert shown[0] == [f"{number:03}" for number in range(69, 19, -1)]
    assert shown[1] == [f"{number:03}" for number in range(19, -1, -1)]
    assert "72 runs" in pages[1]


def test_counting_stops(operator: Callable[..., Client], mine: Furnished, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tenants.admin.paging.COUNTED_AT_MOST", 3)
    new = [NewRun(subject=f"n{number}") for number in range(10)]
    start_runs(tenant_id=mine.tenant.pk, definition_key=mine.definition.key, runs=new)

    assert "3 runs" in operator(mine.tenant).get(RUNS).content.decode()


def test_a_wait_is_found_by_the_subject_of_its_run(operator: Callable[..., Client], mine: Furnished):
    waits = reverse("admin:workflows_wait_changelist")

    assert str(mine.run.public_id) in operator(mine.tenant).get(waits, {"q": "mine_anna"}).content.decode()
    assert str(mine.run.public_id) not in operator(mine.tenant).get(waits, {"q": "bo"}).content.decode()
