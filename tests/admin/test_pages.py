"""Pages: what they open with, what they never show, what they cost."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chimeway_py import content_policy
from deliveries.models import InboxItem
from signals_app.services import NewSignal, accept_signals
from tenants.admin.paging import page_of
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.admin.conftest import Furnished, settle
from tests.admin.test_scope import LISTS
from tests.journeys import GRACE, drain, paid, run_of, waiting_run
from tests.leaks import CANARY
from workflows.explain import explain_run
from workflows.models import Run
from workflows.services.start import NewRun, start_runs

POLICY = "default-src 'self'"
HOSTILE = "<script>alert('x')</script>"


def test_a_run_page_opens_with_the_explanation(operator: Callable[..., Client], mine: Furnished):
    client = operator(mine.tenant)

    page = client.get(page_of(mine.run)).content.decode()

    said = explain_run(tenant_id=mine.tenant.pk, public_id=mine.run.public_id)
    assert "Waiting at “grace”" in said.sentence
    assert page.index("Waiting at “grace”") < page.index("<svg class=") < page.index("Attempts")
    assert "What happens next" in page
    for reason in ("created", "wait opened"):
        assert reason in page
    assert str(mine.delivery.public_id) in page


def test_the_page_of_an_ended_run_counts_down_to_nothing(operator: Callable[..., Client], tenant: Tenant):
    run_id = waiting_run(tenant, GRACE)
    client = operator(tenant)

    live = client.get(page_of(run_of(tenant, run_id))).content.decode()
    paid(tenant)
    drain(tenant)
    over = client.get(page_of(run_of(tenant, run_id))).content.decode()

    assert deadline_of(live).count('class="cw-quiet">in 29 d') == 1
    assert "<time" in deadline_of(over)
    assert "cw-quiet" not in deadline_of(over)


def deadline_of(page: str) -> str:
    return page.split("<dt>Deadline</dt>")[1].split("</dd>", maxsplit=1)[0]


def test_a_signal_page_says_what_became_of_it(operator: Callable[..., Client], mine: Furnished):
    signal = NewSignal(name="paid", correlation={"invoice_id": "mine_7"})
    (receipt,) = accept_signals(tenant_id=mine.tenant.pk, signals=[signal])
    settle(mine.tenant)

    url = reverse("admin:signals_app_signal_change", args=[receipt.public_id])
    page = operator(mine.tenant).get(url).content.decode()

    assert "It ended the wait “grace”." in page
    assert str(mine.run.public_id) in page


def test_the_way_to_https_has_the_content_policy_too(settings: Any):
    settings.SECURE_SSL_REDIRECT = True

    answer = Client().get("/admin/login/")

    assert (answer.status_code, answer.headers["Location"]) == (301, "https://testserver/admin/login/")
    assert answer.headers["Content-Security-Policy"] == content_policy.POLICY


@pytest.mark.parametrize("path", ["admin:index", "admin:login", *LISTS])
def test_the_content_policy_has_no_exception(operator: Callable[..., Client], mine: Furnished, path: str):
    response = operator(mine.tenant).get(reverse(path))

    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith(f"{POLICY};")
    assert "unsafe" not in policy
    assert "style=" not in response.content.decode()
    assert "<script>" not in response.content.decode()


def test_a_delivery_and_its_inbox_item_lead_to_each_other(operator: Callable[..., Client], mine: Furnished):
    client, inbox = operator(mine.tenant), reverse("admin:deliveries_inboxitem_changelist")
    with tenant_scope(mine.tenant.pk):
        item = InboxItem.objects.filter(tenant_id=mine.tenant.pk).select_related("delivery")[0]

    assert f'href="{inbox}?q={item.subject}"' in client.get(page_of(item.delivery)).content.decode()
    assert f'href="{page_of(item.delivery)}"' in client.get(inbox, {"q": item.subject}).content.decode()


def test_what_others_wrote_is_escaped(operator: Callable[..., Client], mine: Furnished):
    start_runs(
        tenant_id=mine.tenant.pk,
        definition_key=mine.definition.key,
        runs=[NewRun(subject=HOSTILE, correlation={"invoice_id": HOSTILE})],
    )
    accept_signals(
        tenant_id=mine.tenant.pk,
        signals=[NewSignal(name="paid", subject=HOSTILE, correlation={"invoice_id": HOSTILE}, external_id=HOSTILE)],
    )
    settle(mine.tenant)
    with tenant_scope(mine.tenant.pk):
        run = Run.objects.get(subject=HOSTILE)
        delivery = run.step_runs.model._meta.apps.get_model("deliveries.Delivery").objects.get(run=run)
        signal = run.signal_verdicts.get().signal
    client = operator(mine.tenant)

    urls = [*map(reverse, LISTS), *map(page_of, (run, delivery, signal)), f"{reverse(LISTS[0])}?q={HOSTILE}"]
    for url in urls:
        page = client.get(url).content.decode()
        assert "<script>alert" not in page, url
    ask = {"action": "cancel", "_selected_action": run.pk, "confirmed": "1", "reason": HOSTILE}
    client.post(reverse("admin:workflows_run_changelist"), ask)
    for url in (
        page_of(run),
        reverse("admin:tenants_operatoraction_changelist"),
        reverse("admin:workflows_run_changelist"),
    ):
        assert "<script>alert" not in client.get(url).content.decode()


def test_payloads_are_not_shown(operator: Callable[..., Client], mine: Furnished):
    client = operator(mine.tenant)

    for url in [*map(reverse, LISTS), page_of(mine.signal), page_of(mine.run), page_of(mine.delivery)]:
        assert CANARY not in client.get(url).content.decode(), url


@pytest.mark.parametrize("name", LISTS)
def test_a_list_costs_the_same_whatever_it_holds(operator: Callable[..., Client], mine: Furnished, name: str):
    client = operator(mine.tenant)
    client.get(reverse(name))  # warms what is cached in the process

    few = queries(client, reverse(name))
    new = [NewRun(subject=f"s{number}", correlation={"invoice_id": f"i{number}"}) for number in range(20)]
    start_runs(tenant_id=mine.tenant.pk, definition_key=mine.definition.key, runs=new)
    settle(mine.tenant)
    many = queries(client, reverse(name))

    assert many <= few + 1  # a second page is one count more
    assert many <= 20


def test_a_run_page_is_cheap(operator: Callable[..., Client], mine: Furnished):
    client = operator(mine.tenant)
    client.get(page_of(mine.run))

    assert queries(client, page_of(mine.run)) <= 25


def test_lists_never_count_all_rows():
    for served in admin.site._registry.values():
        assert served.show_full_result_count is False
        assert served.show_facets is admin.ShowFacets.NEVER


def queries(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)
