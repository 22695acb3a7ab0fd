"""Addresses that are left alone: what leaves them so, what passes all the same, what outlives it, and how it ends."""

import json
from collections.abc import Callable
from importlib import import_module
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from chimeway_py.embedded.mailbox import Mailbox
from deliveries.models import Delivery, Suppression
from deliveries.providers.reports import Report, ReportKind
from deliveries.services import record_bounce, resend_delivery
from deliveries.services.reports import take_report
from deliveries.suppressions.reading import WORD
from signals_app.subjects.erase import erase_subject
from tenants.models import Tenant
from tenants.models.api_key import Scope
from tenants.scope import tenant_scope
from tests.admin.conftest import operator
from tests.deliveries.conftest import Journey
from tests.retention.conftest import aged, keep, prune
from workflows.explain import explain_run

__all__ = ["operator"]
ADDRESS = "Ann.Lee@example.org"
WORDS = {"hello": {"subject": "Hello", "text": "t"}}
MAIL = {"channel": "email", "template": "hello"}
CODE = {**MAIL, "category": "codes"}


class Person:
    """Somebody at one address, who gets plain mails and required ones."""

    def __init__(self, tenant: Tenant) -> None:
        self.plain, self.codes, self.tenant = Journey(tenant), Journey(tenant), tenant

    def mail(self, of: Journey | None = None, address: str = ADDRESS) -> Delivery:
        """One more mail, as it ended."""
        journey = of or self.plain
        run = journey.start("ann", email=address)
        journey.work()
        return journey.deliveries(run)[-1]

    def tell(self, delivery: Delivery, kind: str, code: str = "") -> str:
        """Let the provider report of it."""
        report = Report(ReportKind(kind), str(delivery.public_id), code=code)
        return take_report(tenant_id=self.tenant.pk, provider=delivery.provider, report=report)

    def known(self) -> list[Suppression]:
        """What is known against addresses."""
        return self.plain.read(lambda: list(Suppression.objects.filter(tenant_id=self.tenant.pk).order_by("id")))


@pytest.fixture
def ann(rest: APIClient, tenant: Tenant, smtp_sink: Mailbox) -> Person:
    rest.put("/v1/categories/codes", {"name": "Codes to sign in", "required": True})
    person = Person(tenant)
    person.plain.publish(MAIL, templates=WORDS)
    person.codes.publish(CODE, templates=WORDS)
    return person


def exported(rest: APIClient) -> set[str]:
    """The kinds of lines in an export of the subject."""
    lines = rest.get("/v1/subjects/ann/export").getvalue().decode().splitlines()
    return {json.loads(line)["kind"] for line in lines}


def end(one: Delivery) -> tuple[str, str]:
    return one.status, one.error


def test_a_complaint_outlives_the_message_it_was_about_and_is_lifted_by_hand(ann: Person, rest: APIClient) -> None:
    first = ann.mail()
    assert ann.tell(first, "complained", "spam") == "accepted"
    aged(ann.tenant, first.run_id, 100)
    keep(ann.tenant)
    assert prune(ann.tenant)["delivery"] == 1
    assert end(ann.mail()) == ("suppressed", "complained_before")

    [shown] = rest.get("/v1/suppressions").json()["items"]
    assert (shown["word"], shown["recipient"], shown["subject"]) == ("complained", "A***@example.org", "ann")
    assert (shown["delivery_id"], shown["code"]) == (str(first.public_id), "complained spam")
    path = f"/v1/suppressions/{shown['id']}"
    assert rest.delete(path).status_code == 400
    assert end(ann.mail()) == ("suppressed", "complained_before"), "without a reason nothing is lifted"
    lifted = rest.delete(path, {"reason": "asked by phone"}, headers={"Idempotency-Key": "lift"})
    again = rest.delete(f"{path}?reason=another")

    assert (lifted.status_code, again.json()) == (200, lifted.json())
    assert (lifted.json()["lifted_why"], lifted.json()["lifted_by"][:7]) == ("asked by phone", "key cw_")
    assert ann.mail().status == "delivered"
    assert rest.get("/v1/suppressions").json()["items"] == []
    assert rest.get("/v1/suppressions?lifted=true").json()["items"] == [rest.get(path).json()]
    ann.tell(ann.mail(), "complained")
    assert end(ann.mail()) == ("suppressed", "complained_before"), "the next one counts again"
    assert rest.get(path).json()["lifted_at"] is None


def test_what_is_required_passes_a_complaint_but_no_bounce(ann: Person, smtp_sink: Mailbox) -> None:
    ann.tell(ann.mail(), "complained")
    code = ann.mail(ann.codes)

    assert (code.status, code.decided_by) == ("delivered", "required_category")
    assert code.decided_rule == "category codes is required, also after a complaint"
    with tenant_scope(ann.tenant.pk):
        last = explain_run(tenant_id=ann.tenant.pk, public_id=code.run.public_id).last_outcome
    assert last is not None
    assert (last.decided_by, last.rule) == ("required_category", code.decided_rule)
    assert end(ann.mail()) == ("suppressed", "complained_before")

    record_bounce(tenant_id=ann.tenant.pk, delivery=code.public_id, error="bounced 5.1.1")

    assert end(ann.mail(ann.codes)) == ("suppressed", "bounced_before")
    [row] = ann.known()
    assert (row.word, row.bounced_at is None, row.complained_at is None) == ("bounced", False, False)


def test_what_is_told_twice_or_in_any_order_is_kept_once(ann: Person, together: Callable[..., list[Any]]) -> None:
    first, second = ann.mail(), ann.mail()
    together(*[lambda: ann.tell(first, "complained"), lambda: ann.tell(second, "complained")] * 3)
    [row] = ann.known()
    for one in (first, second):
        ann.tell(one, "complained")
        ann.tell(one, "opened")

    [after] = ann.known()
    assert (after.complained_at, after.delivery, after.lifted_at) == (row.complained_at, row.delivery, None)
    assert end(ann.mail()) == ("suppressed", "complained_before")


def test_who_insists_and_is_right_takes_a_bounce_away_and_no_complaint(ann: Person) -> None:
    first = ann.mail()
    record_bounce(tenant_id=ann.tenant.pk, delivery=first.public_id)
    withheld = ann.mail()
    assert end(withheld) == ("suppressed", "bounced_before")

    resend_delivery(tenant_id=ann.tenant.pk, delivery=withheld.public_id, reason="mailbox is back")
    ann.plain.work()
    [row] = ann.known()
    assert (row.lifted_by, row.lifted_why, ann.mail().status) == ("resend", "mailbox is back", "delivered")

    record_bounce(tenant_id=ann.tenant.pk, delivery=ann.mail().public_id)
    ann.tell(first, "complained")
    resend_delivery(tenant_id=ann.tenant.pk, delivery=withheld.public_id, reason="once more")
    ann.plain.work()
    [row] = ann.known()
    assert (row.word, row.bounced_at, row.lifted_at) == ("complained", None, None)


def test_an_erased_persons_refusal_goes_on_and_tells_nobody_whose_it_is(ann: Person, rest: APIClient) -> None:
    rest.put("/v1/recipients/ann", {"addresses": {"email": ADDRESS}})
    ann.tell(ann.mail(), "complained")
    assert "suppression" in exported(rest)

    erase_subject(tenant_id=ann.tenant.pk, subject="ann", cause="operator", cause_ref="olga", reason="asked")

    [row] = ann.known()
    assert (row.subject, row.recipient_masked, row.delivery) == ("", "", None)
    assert end(ann.mail()) == ("suppressed", "complained_before")
    assert "suppression" not in exported(rest)


def test_it_is_found_by_address_channel_word_and_recipient_by_nobody_else(
    ann: Person, rest: APIClient, client_of: Callable[..., APIClient], other_tenant: Tenant
) -> None:
    ann.tell(ann.mail(), "complained")
    record_bounce(tenant_id=ann.tenant.pk, delivery=ann.mail(address="bob@example.org").public_id)
    rest.put("/v1/recipients/bob", {"addresses": {"email": "bob@example.org"}})

    def found(query: str, client: APIClient = rest) -> list[str]:
        return [one["recipient"][0] for one in client.get(f"/v1/suppressions?{query}").json()["items"]]

    assert (found(""), found("word=bounced"), found("word=complained")) == (["b", "A"], ["b"], ["A"])
    assert (found("subject=bob"), found("subject=ann"), found("subject=x")) == (["b"], ["b", "A"], [])
    assert (found("channel=sms"), found("limit=1"), found("", client_of(other_tenant))) == ([], ["b"], [])
    for query in ("word=x", "channel=x", "lifted=1", "nope=1", "limit=x"):
        assert rest.get(f"/v1/suppressions?{query}").status_code == 400, query
    search = rest.post("/v1/suppressions/search", {"address": f" {ADDRESS.lower()} "})
    assert [one["recipient"] for one in search.json()["items"]] == ["A***@example.org"]
    assert client_of(other_tenant).post("/v1/suppressions/search", {"address": ADDRESS}).json()["items"] == []
    [row, _] = ann.known()
    asked = f"/v1/suppressions/{row.public_id}?reason=x"
    assert client_of(ann.tenant, {Scope.DELIVERIES_READ}).delete(asked).status_code == 403
    assert client_of(other_tenant).delete(asked).status_code == 404
    assert rest.delete(asked, {"reason": "y"}).status_code == 400, "given twice"
    assert all(one.lifted_at is None for one in ann.known())


def test_the_migration_fills_it_from_the_deliveries_there_are(ann: Person) -> None:
    """As they stood before: a bounce after which something arrived does not count, a complaint does."""
    complained, bounced, back = (ann.mail(address=f"{name}@example.org") for name in ("one", "two", "three"))
    ann.tell(complained, "complained")
    for one in (bounced, back):
        record_bounce(tenant_id=ann.tenant.pk, delivery=one.public_id)
    with tenant_scope(ann.tenant.pk):
        Suppression.objects.filter(tenant_id=ann.tenant.pk).delete()
    ann.mail(address="three@example.org")
    fill = import_module("deliveries.migrations.0023_suppressions").fill

    for _ in range(2):
        fill(None, SimpleNamespace(connection=connections["owner"]))

    found = {(one.delivery, one.word) for one in ann.known()}
    assert found == {(complained.public_id, "complained"), (bounced.public_id, "bounced")}


def test_it_is_lifted_at_the_admin_and_by_command_and_both_are_recorded(
    ann: Person, operator: Callable[..., Client]
) -> None:
    ann.tell(ann.mail(), "complained")
    [row] = ann.known()
    client, name = operator(ann.tenant), "admin:deliveries_suppression_change"
    page = client.get(reverse(name, args=[row.public_id])).content.decode()
    assert ("somebody complained" in page, "A***@example.org" in page, ADDRESS in page) == (True, True, False)
    said = {"action": "lift", "_selected_action": row.pk, "confirmed": "1"}
    listing = reverse("admin:deliveries_suppression_changelist")
    client.post(listing, {**said, "reason": ""})
    assert ann.known()[0].lifted_at is None
    client.post(listing, {**said, "reason": "asked"})
    assert ann.known()[0].lifted_by.startswith("operator ")
    ann.tell(ann.mail(), "complained")

    out = StringIO()
    call_command("suppressions", "list", "--tenant", ann.tenant.slug, stdout=out)
    assert out.getvalue().startswith(f"{row.public_id} email    A***@example.org complained ")
    told = ["--tenant", ann.tenant.slug, "--reason", "asked", "--by", "ada"]
    call_command("suppressions", "lift", str(row.public_id), *told, stdout=out)

    [again] = ann.known()
    assert (again.lifted_by, again.lifted_why) == ("command ada", "asked")
    with tenant_scope(ann.tenant.pk), connection.cursor() as cursor:
        cursor.execute("SELECT action, reason FROM tenants_operatoraction ORDER BY id")
        assert cursor.fetchall() == [("lift", "asked"), ("suppressions lift", "asked")]


def test_the_word_on_an_address_costs_looks_at_indexes(ann: Person) -> None:
    with tenant_scope(ann.tenant.pk), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # next to nothing is in the tables
        cursor.execute(f"EXPLAIN {WORD}", ["codes", ann.tenant.pk, "a" * 64, "email", None])
        plan = " ".join(line for (line,) in cursor.fetchall())

    # Which of a table's indexes the planner takes while it is empty is chance; all of them begin with the tenant.
    assert {"deliveries_suppression", "deliveries_category"} <= set(plan.split())
    assert "Seq Scan" not in plan
