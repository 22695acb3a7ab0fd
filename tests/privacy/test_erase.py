"""Erasing a subject: nothing of it can be read any more, and everything that is proven still is."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from chimeway_py.errors import Invalid
from deliveries.models import Delivery, InboxItem
from signals_app.models import Payload, Signal, SignalKey, SubjectErasure
from signals_app.services.payload_names import names
from signals_app.services.payloads import canonical, write_payloads
from signals_app.subjects.erase import Erased, erase_subject
from tenants.models import Tenant
from tenants.models.api_key import Scope
from tenants.scope import tenant_scope
from tests.journeys import GRACE, drain, moves_of, publish, run_of, send, start
from tests.plugin import Servers
from tests.privacy.conftest import Known, tables_with
from workflows.models import Answer, Listener, Run, Transition
from workflows.models.schedule import Schedule
from workflows.services.schedules import create_schedule
from workflows.services.work import claim_work, finish_work, perform
from workflows.subjects.runs import BODIES
from workflows.verify import verify_trace

MakeKnown = Callable[..., Known]


def erase(known: Known, **given: Any) -> Erased:
    asked: dict[str, Any] = {"cause": "operator", "cause_ref": "olga", "reason": "asked by mail"} | given
    return erase_subject(tenant_id=known.tenant.pk, subject=known.subject, **asked)


@pytest.fixture
def ada(tenant: Tenant, make_known: MakeKnown) -> Known:
    return make_known(tenant, "ada-lovelace", "kX9canary41")


def test_nothing_of_the_subject_is_left_in_any_table(ada: Known, servers: Servers) -> None:
    assert tables_with(servers, ada.subject, ada.thread) >= {
        "workflows_run", "signals_app_signal", "signals_app_signalkey", "deliveries_inboxitem"
    }  # fmt: skip

    erase(ada)

    assert tables_with(servers, ada.subject, ada.secret, ada.thread) == set()


def test_the_record_says_who_when_and_how_much(ada: Known) -> None:
    erased = erase(ada)

    with tenant_scope(ada.tenant.pk):
        record = SubjectErasure.objects.get()
    assert (record.cause, record.cause_ref, record.reason) == ("operator", "olga", "asked by mail")
    assert record.counts == erased.counts
    assert erased.counts == {
        "schedules": 0,
        "digest_items": 0,
        "throttle_passes": 0,
        "runs_cancelled": 2,
        "runs": 2,
        "signals": 4,
        "suppressions": 0,
        "deliveries": 4,
        "inbox_items": 2,
        "payloads": 2,
        "answers": 0,
        "preferences": 0,
        "recipients": 0,
        "holds": 0,
    }
    assert erased.pseudonym == f"erased:{bytes(record.digest).hex()[:32]}"


def test_live_runs_are_cancelled_and_say_why_and_traces_still_verify(ada: Known) -> None:
    with tenant_scope(ada.tenant.pk):
        before = list(Transition.objects.filter(run_id=ada.run_id).order_by("seq").values_list("hash", flat=True))

    erased = erase(ada)

    run = run_of(ada.tenant, ada.run_id)
    assert (run.state, run.terminal_reason, run.subject) == ("cancelled", "subject_erased", erased.pseudonym)
    assert (run.correlation, run.data_sha is None, bytes(run.data_sha or b"")) == ({}, False, b"")
    assert moves_of(ada.tenant, ada.run_id)[-1] == ("waiting", "cancelled", "operator", "cancelled")
    assert list(verify_trace(tenant_id=ada.tenant.pk)) == []
    with tenant_scope(ada.tenant.pk):
        after = list(Transition.objects.filter(run_id=ada.run_id).order_by("seq").values_list("hash", flat=True))
    assert after[:-1] == before


def test_a_finished_run_is_erased_as_it_is(ada: Known) -> None:
    send(ada.tenant, "thread.closed", correlation={"thread": ada.thread})
    drain(ada.tenant)

    erased = erase(ada)

    assert run_of(ada.tenant, ada.run_id).state == "completed"
    assert "runs_cancelled" not in erased.counts or erased.counts["runs_cancelled"] == 0


def test_what_others_hold_stays(ada: Known, make_known: MakeKnown, other_tenant: Tenant, servers: Servers) -> None:
    bob = make_known(ada.tenant, "bob", "kX9canary42")
    namesake = make_known(other_tenant, ada.subject, "kX9canary43")
    kept = tables_with(servers, bob.subject), tables_with(servers, namesake.thread)

    erase(ada)

    assert (tables_with(servers, bob.subject), tables_with(servers, namesake.thread)) == kept
    assert run_of(bob.tenant, bob.run_id).state == "waiting"
    assert run_of(other_tenant, namesake.run_id).state == "waiting"
    with tenant_scope(bob.tenant.pk):
        assert InboxItem.objects.filter(subject="bob", sealed__isnull=False).count() == 2


def test_a_payload_that_others_name_too_stays_theirs(tenant: Tenant) -> None:
    for subject in ("ada", "bob"):
        send(tenant, "all.hands", subject=subject, data={"room": 1})

    erase_subject(tenant_id=tenant.pk, subject="ada", cause="api", cause_ref="k")

    with tenant_scope(tenant.pk):
        assert Payload.objects.count() == 1
        named = {row.subject: row.payload_sha is not None for row in Signal.objects.all()}
    assert named.pop("bob") is True
    assert list(named.values()) == [False]


def test_asking_again_changes_nothing_and_answers_the_same(ada: Known) -> None:
    first, again = erase(ada), erase(ada, cause_ref="somebody else")

    assert (again.pseudonym, again.counts, again.erased_at) == (first.pseudonym, first.counts, first.erased_at)
    assert (first.is_repeated, again.is_repeated) == (False, True)
    with tenant_scope(ada.tenant.pk):
        assert SubjectErasure.objects.count() == 1


def test_what_comes_later_is_kept_and_can_be_erased_again(ada: Known) -> None:
    erase(ada)
    send(ada.tenant, "user.seen", subject=ada.subject, data={"n": 1})

    again = erase(ada)

    assert (again.is_repeated, again.counts["signals"]) == (False, 1)
    with tenant_scope(ada.tenant.pk):
        assert SubjectErasure.objects.count() == 2


def test_the_same_signal_is_a_duplicate_still(tenant: Tenant) -> None:
    given = {"subject": "ada", "data": {"n": 1}, "external_id": "e1"}
    send(tenant, "user.seen", **given)
    erase_subject(tenant_id=tenant.pk, subject="ada", cause="api", cause_ref="k")

    assert send(tenant, "user.seen", **given).status == "duplicate"


def test_an_unrouted_signal_moves_no_run_any_more(tenant: Tenant) -> None:
    receipt = send(tenant, "user.seen", subject="ada", data={"n": 1})

    erase_subject(tenant_id=tenant.pk, subject="ada", cause="api", cause_ref="k")
    drain(tenant)

    with tenant_scope(tenant.pk):
        signal = Signal.objects.get(public_id=receipt.public_id)
        assert not SignalKey.objects.exists()
    assert (signal.verdict, signal.verdict_reason) == ("expired", "subject_erased")
    assert signal.routed_at is not None


def test_inbox_addresses_and_listeners_are_emptied(ada: Known) -> None:
    erase(ada)

    with tenant_scope(ada.tenant.pk):
        items = list(InboxItem.objects.all())
        assert [item.content for item in items] == [{"title": "", "body": "", "data": {}}] * 2
        addresses = set(Delivery.objects.values_list("recipient_digest", "recipient_masked"))
        assert addresses == {("", "")}
        assert not Listener.objects.exists()


def test_a_dry_run_counts_and_changes_nothing(ada: Known, servers: Servers) -> None:
    before = tables_with(servers, ada.subject)

    counted = erase(ada, dry_run=True)

    assert counted.counts["payloads"] == 2
    assert tables_with(servers, ada.subject) == before
    assert run_of(ada.tenant, ada.run_id).state == "waiting"
    assert erase(ada).counts == counted.counts


def test_a_signal_that_arrives_again_meanwhile_brings_nothing_back(
    tenant: Tenant, together: Callable[..., Any]
) -> None:
    """The same signal arrives again while its subject is erased: neither waits for the other for ever."""
    for round_ in range(10):
        given = {"subject": f"ada-{round_}", "data": {"n": round_}, "external_id": f"e{round_}"}
        send(tenant, "user.seen", **given)
        done = together(
            lambda g=given: send(tenant, "user.seen", **g),
            lambda r=round_: erase_subject(tenant_id=tenant.pk, subject=f"ada-{r}", cause="api", cause_ref="k"),
        )
        assert [one for one in done if isinstance(one, Exception)] == []
    with tenant_scope(tenant.pk):
        assert Signal.objects.filter(payload_sha__isnull=False).count() == 0
        assert Payload.objects.count() == 0


@pytest.mark.parametrize("wrong", ["", "x" * 201, "nul\0", "erased:0123"])
def test_a_subject_that_no_row_could_name_is_refused(wrong: str, tenant: Tenant) -> None:
    with pytest.raises(Invalid):
        erase_subject(tenant_id=tenant.pk, subject=wrong, cause="api", cause_ref="k")

    with tenant_scope(tenant.pk):
        assert not SubjectErasure.objects.exists()


def test_rest_erases_with_its_own_scope_alone(ada: Known, client_of: Callable[..., APIClient]) -> None:
    reader = client_of(ada.tenant, [Scope.SUBJECTS_READ, Scope.RUNS_WRITE])
    writer = client_of(ada.tenant, [Scope.SUBJECTS_WRITE])
    address = f"/v1/subjects/{ada.subject}"

    assert reader.delete(address).status_code == 403
    dry = writer.delete(f"{address}?dry_run=true")
    odd = writer.delete(f"{address}?dry_run=perhaps")
    done = writer.delete(f"{address}?reason=asked", headers={"Idempotency-Key": "once"})
    replay = writer.delete(f"{address}?reason=asked", headers={"Idempotency-Key": "once"})

    assert (dry.status_code, odd.status_code, done.status_code) == (200, 400, 200)
    assert done.json()["counts"] == dry.json()["counts"]
    assert replay.json() == done.json()
    assert done.json()["subject"].startswith("erased:")
    with tenant_scope(ada.tenant.pk):
        record = SubjectErasure.objects.get()
        assert (record.cause, record.reason) == ("api", "asked")
        assert not Run.objects.filter(subject=ada.subject).exists()


def test_another_tenant_erases_nothing_of_ours(
    ada: Known, client_of: Callable[..., APIClient], other_tenant: Tenant
) -> None:
    answer = client_of(other_tenant).delete(f"/v1/subjects/{ada.subject}")

    assert not any(answer.json()["counts"].values())
    assert run_of(ada.tenant, ada.run_id).state == "waiting"


def test_answers_that_were_kept_for_the_subject_are_emptied(rest: APIClient, tenant: Tenant, servers: Servers) -> None:
    body = {"name": "user.seen", "subject": "ada", "data": {"n": 1}}
    for key, said in [("k1", body), ("k2", body | {"subject": "bob"})]:
        rest.post("/v1/signals", said, headers={"Idempotency-Key": key})

    rest.delete("/v1/subjects/ada")

    again = rest.post("/v1/signals", body, headers={"Idempotency-Key": "k1"})
    bobs = rest.post("/v1/signals", body | {"subject": "bob"}, headers={"Idempotency-Key": "k2"})
    assert (again.status_code, again.content, again["Idempotency-Replayed"]) == (202, b"", "true")
    assert bobs.json()["status"] == "accepted"


def test_the_command_erases(ada: Known) -> None:
    said = StringIO()
    for options in (["--dry-run"], ["--by", "olga", "--reason", "asked"], []):
        call_command("subjects", "erase", ada.subject, "--tenant", ada.tenant.slug, *options, stdout=said)

    dry, done, again = map(json.loads, said.getvalue().splitlines())
    assert (dry["dry_run"], dry["counts"]) == (True, done["counts"])
    assert (done["repeated"], again["repeated"]) == (False, True)


def test_every_body_that_a_row_names_is_reached() -> None:
    """Some are erased by name; all else that names payloads belongs to a run."""
    of_their_own = {
        ("deliveries_broadcast", "data_sha"),
        ("signals_app_signal", "payload_sha"),
        ("workflows_run", "data_sha"),
        ("workflows_schedule", "data_sha"),
        ("workflows_digest", "name_sha"),
        ("workflows_throttlepass", "name_sha"),
    }

    assert set(names()) == of_their_own | set(BODIES)


def test_a_schedule_starts_nothing_about_the_subject_any_more(tenant: Tenant, servers: Servers) -> None:
    publish(tenant, GRACE)
    given = {"definition_key": "dunning", "expression": "0 9 * * *", "correlation": {"invoice_id": "1"}}
    for key, subjects in [("alone", ["scheduled-ada"]), ("shared", ["bob", "scheduled-ada"])]:
        create_schedule(tenant_id=tenant.pk, key=key, subjects=subjects, data={"of": key}, **given)

    counts = erase_subject(tenant_id=tenant.pk, subject="scheduled-ada", cause="api", cause_ref="k").counts

    with tenant_scope(tenant.pk):
        alone, shared = Schedule.objects.order_by("key")
        assert Payload.objects.count() == 1
    assert (alone.enabled, alone.subjects, alone.data_sha, alone.correlation) == (False, [], None, {})
    assert (shared.enabled, shared.subjects) == (True, ["bob"])
    assert counts["schedules"] == 2
    assert tables_with(servers, "scheduled-ada") == set()


def test_what_steps_brought_back_goes_too(ada: Known, servers: Servers) -> None:
    with tenant_scope(ada.tenant.pk) as scope:
        written = write_payloads(tenant_id=ada.tenant.pk, texts=[canonical({"answer": ada.secret})])
        Answer.objects.create(
            tenant_id=ada.tenant.pk,
            run_id=ada.run_id,
            name="crm",
            step="look_up",
            visit=1,
            payload_sha=next(iter(written.values())),
            answered_at=scope.now,
        )

    assert erase(ada).counts["payloads"] == 3

    with tenant_scope(ada.tenant.pk):
        assert Answer.objects.get().payload_sha is None
        assert Payload.objects.count() == 0


def test_an_attempt_in_flight_is_named_and_its_end_harms_nothing(tenant: Tenant, smtp_sink: object) -> None:
    email = {"key": "mail", "kind": "deliver", "channel": "email", "template": "note"}
    publish(
        tenant, {"key": "one", "templates": {"note": {"subject": "Hi", "text": "{{ data.secret }}"}}, "steps": [email]}
    )
    run_id = start(tenant, "one", "ada", data={"email": "flying@example.com", "secret": "s"})
    drain(tenant)
    claim = claim_work(tenant_id=tenant.pk, worker="w1")
    assert claim is not None

    erased = erase_subject(tenant_id=tenant.pk, subject="ada", cause="api", cause_ref="k")
    finish_work(claim=claim, outcome=perform(claim))

    assert erased.in_flight == (f"{run_of(tenant, run_id).public_id} mail attempt 1",)
    assert run_of(tenant, run_id).state == "cancelled"
    assert list(verify_trace(tenant_id=tenant.pk)) == []
    with tenant_scope(tenant.pk):
        assert Delivery.objects.get().recipient_masked == ""
