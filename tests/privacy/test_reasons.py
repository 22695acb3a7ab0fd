"""What people say when they ask for something is sealed, shown to whom it concerns, and gone when it is erased."""

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from signals_app.subjects.erase import erase_subject
from signals_app.subjects.export import export_subject
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import drain, end_of, paid, run_of, told_of, waiting_run
from tests.plugin import Servers
from tests.privacy.conftest import tables_with
from workflows.explain import explain_run
from workflows.history.exporting import export_run
from workflows.history.importing import import_run
from workflows.models import RunReason
from workflows.services.control import cancel_runs, pause_runs, resume_runs
from workflows.services.replay import replay_run
from workflows.states import Cause
from workflows.store.reasons import GONE, is_address
from workflows.verify import verify_trace

WORDS = "Eve-called-about-Zed"


def say(tenant: Tenant, run_id: int, control: Any, words: str = WORDS) -> None:
    asked = {"cause": Cause.OPERATOR, "cause_ref": "olga", "reason": words}
    control(tenant_id=tenant.pk, public_ids=[run_of(tenant, run_id).public_id], **asked)


def sentence(tenant: Tenant, run_id: int) -> str:
    return explain_run(tenant_id=tenant.pk, public_id=run_of(tenant, run_id).public_id).sentence


def named(tenant: Tenant) -> int:
    with tenant_scope(tenant.pk):
        return RunReason.objects.filter(tenant_id=tenant.pk).exclude(payload_sha=None).count()


@pytest.mark.parametrize("control", [cancel_runs, pause_runs])
def test_no_table_shows_it_and_the_explanation_does(tenant: Tenant, servers: Servers, control: Any) -> None:
    run_id = waiting_run(tenant)

    say(tenant, run_id, control)

    assert tables_with(servers, WORDS) == set()
    assert WORDS in sentence(tenant, run_id)
    assert WORDS in str(told_of(tenant, run_id)[-1])
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def test_rest_tells_it_in_every_place(tenant: Tenant, rest: APIClient) -> None:
    run_id = waiting_run(tenant)
    say(tenant, run_id, pause_runs)
    say(tenant, run_id, resume_runs, "go on")
    say(tenant, run_id, cancel_runs)
    address = f"/v1/runs/{run_of(tenant, run_id).public_id}"

    assert rest.get(address).json()["terminal_reason"] == WORDS
    assert [one["terminal_reason"] for one in rest.get("/v1/runs").json()["items"]] == [WORDS]
    whole, trace = rest.get(f"{address}?include=transitions").json(), rest.get(f"{address}/trace").json()
    for lines in (whole["transitions"], trace["items"]):
        said = [one["context"].get("why") or one["context"].get("terminal_reason") for one in lines]
        assert said[-3:] == [WORDS, "go on", WORDS]


def test_erasing_the_subject_takes_the_words_and_leaves_the_chain(tenant: Tenant, servers: Servers) -> None:
    run_id, other = waiting_run(tenant, subject="zed"), waiting_run(tenant, subject="bob")
    say(tenant, run_id, cancel_runs)
    say(tenant, other, cancel_runs, "another story")
    exported = list(export_subject(tenant_id=tenant.pk, subject="zed"))

    erase_subject(tenant_id=tenant.pk, subject="zed", cause="api", cause_ref="key")

    assert WORDS in "".join(exported)
    assert "reason" in {json.loads(line)["kind"] for line in exported}
    assert end_of(tenant, run_id) == GONE
    assert f"({GONE})" not in sentence(tenant, other)
    assert GONE.strip("()") in sentence(tenant, run_id)
    assert end_of(tenant, other) == "another story"
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def test_collecting_leaves_words_that_a_run_names(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    say(tenant, run_id, cancel_runs)
    say(tenant, waiting_run(tenant), cancel_runs)

    assert named(tenant) == 2
    assert end_of(tenant, run_id) == WORDS
    assert is_address(run_of(tenant, run_id).terminal_reason)


def test_a_replay_says_why_and_an_import_with_payloads_brings_it(tenant: Tenant, other_tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    paid(tenant)
    drain(tenant)
    asked = {"cause": Cause.OPERATOR, "cause_ref": "olga", "reason": WORDS}
    replay = replay_run(tenant_id=tenant.pk, public_id=run_of(tenant, run_id).public_id, **asked)
    drain(tenant)
    say(tenant, replay.run_id, cancel_runs, "enough")

    lines = list(export_run(tenant_id=tenant.pk, public_id=replay.public_id, payloads=True))
    import_run(tenant_id=other_tenant.pk, lines=lines)

    for owner in (tenant, other_tenant):
        said = explain_run(tenant_id=owner.pk, public_id=replay.public_id)
        assert said.terminal_reason == "enough"
    assert told_of(tenant, replay.run_id)[0]["why"] == WORDS
    assert WORDS not in "".join(export_run(tenant_id=tenant.pk, public_id=replay.public_id))
