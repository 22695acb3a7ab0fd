"""A run that goes on although a message was not sent says so."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from tenants.models import Tenant
from tests.journeys import drain, publish, run_of, start
from tests.statements import note_statements
from workflows.explain import Explanation, explain_run
from workflows.services.work import claim_work, finish_work
from workflows.steps.base import Outcome

MESSAGE: dict[str, Any] = {"key": "m", "kind": "deliver", "channel": "email", "template": "hello", "to": "data.email"}
TEMPLATES = {"hello": {"subject": "Hello", "text": "Hello"}}
CALM = {"key": "calm", "kind": "wait", "for": "P1D"}


def told(tenant: Tenant, run_id: int) -> Explanation:
    return explain_run(tenant_id=tenant.pk, public_id=run_of(tenant, run_id).public_id)


def begun(tenant: Tenant, *after: dict[str, Any], data: dict[str, Any] | None = None, **step: Any) -> int:
    """A run whose first step is a message; without an address nobody tries to send it."""
    publish(tenant, {"key": "mail", "templates": TEMPLATES, "steps": [MESSAGE | step, *after]})
    run_id = start(tenant, "mail", data=data or {})
    drain(tenant)
    return run_id


def sent(tenant: Tenant, outcome: str, error: str = "", *after: dict[str, Any], **step: Any) -> int:
    """A run whose message a worker tried, with this outcome."""
    run_id = begun(tenant, *after, data={"email": "ada@example.com"}, **step)
    claim = claim_work(tenant_id=tenant.pk, worker="w")
    assert claim is not None
    finish_work(claim=claim, outcome=Outcome(outcome, error))
    drain(tenant)
    return run_id


def test_a_completed_run_whose_message_had_no_recipient(tenant: Tenant) -> None:
    explained = told(tenant, begun(tenant))

    assert explained.state == "completed"
    assert explained.sentence.endswith(
        "because “m” was the last step. “m” ended with permanent_failure (no_recipient)."
    )
    last = explained.last_outcome
    assert last is not None
    assert (last.step, last.outcome, last.error) == ("m", "permanent_failure", "no_recipient")


@pytest.mark.parametrize("outcome", ["permanent_failure", "suppressed", "retries_exhausted", "bounced"])
def test_it_says_so_while_it_waits_afterwards(tenant: Tenant, outcome: str) -> None:
    explained = told(tenant, sent(tenant, outcome, "smtp_550", CALM))

    assert explained.state == "waiting"
    assert f" “m” ended with {outcome} (smtp_550)." in explained.sentence
    assert explained.last_attempt is not None
    assert (explained.last_attempt.outcome, explained.last_attempt.error) == (outcome, "smtp_550")
    assert explained.evidence == (4, 5)  # it ended so, and then the run came to the wait


def test_what_was_sent_is_no_remark(tenant: Tenant) -> None:
    explained = told(tenant, sent(tenant, "delivered"))

    assert explained.sentence.endswith("because “m” was the last step.")
    assert explained.last_outcome is not None
    assert explained.last_outcome.outcome == "delivered"


def test_an_outcome_that_ended_the_run_is_told_once(tenant: Tenant) -> None:
    run_id = sent(tenant, "bounced", "smtp_550", on_outcome={"bounced": {"stop": "no_address"}})

    assert told(tenant, run_id).sentence.count("“m” ended with bounced (smtp_550)") == 1


def test_before_anything_ended_there_is_no_outcome(tenant: Tenant) -> None:
    assert told(tenant, begun(tenant, data={"email": "ada@example.com"})).last_outcome is None


def test_three_statements_are_enough_for_it(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = begun(tenant, CALM)
    public_id = run_of(tenant, run_id).public_id
    monkeypatch.setattr("workflows.services.documents._cache", {})
    asked: list[str] = []
    note_statements(monkeypatch, asked)

    explain_run(tenant_id=tenant.pk, public_id=public_id)

    assert len([one for one in asked if "SELECT" in one and "set_config" not in one]) == 3


def test_rest_shows_it(tenant: Tenant, rest: APIClient) -> None:
    run_id = begun(tenant)

    said = rest.get(f"/v1/runs/{run_of(tenant, run_id).public_id}/explain").json()

    assert said["last_outcome"] | {"at": ""} == {
        "step": "m", "outcome": "permanent_failure", "error": "no_recipient", "at": "",
        "decided_by": "", "rule": "",
    }  # fmt: skip
