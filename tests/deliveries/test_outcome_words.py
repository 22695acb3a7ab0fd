"""Every word of outcome, brought about for real: where the run goes, what is stored, and what people are told."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from chimeway_py.embedded.mailbox import Mailbox
from deliveries.services.feedback import record_bounce
from deliveries.states import OUTCOMES
from tests.deliveries.conftest import Journey
from tests.steps.owing import make_due
from workflows.models import Run
from workflows.services.lost_work import end_lost_work
from workflows.services.work import claim_work
from workflows.verify import verify_trace

WORDS = {"hello": {"subject": "Hello", "text": "t"}}
ADDRESS = "outcome@example.com"
FAILED = {"temporary_failure", "retries_exhausted", "permanent_failure"}  # what people may call failed


def sent(journey: Journey, run: Run, mail: Mailbox, rest: APIClient) -> None:
    journey.work()


def refused(journey: Journey, run: Run, mail: Mailbox, rest: APIClient) -> None:
    rest.put("/v1/recipients/bob/preferences", {"rules": [{"channel": "email", "allowed": False}]})
    journey.work()


def told_to_come_later(journey: Journey, run: Run, mail: Mailbox, rest: APIClient) -> None:
    mail.answer(ADDRESS, "451 4.3.0 Try later")
    journey.work()


def told_never_to_come(journey: Journey, run: Run, mail: Mailbox, rest: APIClient) -> None:
    mail.answer(ADDRESS, "550 5.1.1 No such user")
    journey.work()


def sent_and_bounced(journey: Journey, run: Run, mail: Mailbox, rest: APIClient) -> None:
    journey.work()
    record_bounce(tenant_id=run.tenant_id, delivery=journey.delivery(run).public_id, error="bounced 5.1.1")


def lost_with_its_worker(journey: Journey, run: Run, mail: Mailbox, rest: APIClient) -> None:
    claim_work(tenant_id=run.tenant_id, worker="doomed")
    make_due(journey.tenant)
    end_lost_work(tenant_id=run.tenant_id)


BY = {
    "delivered": (sent, {}),
    "suppressed": (refused, {}),
    "temporary_failure": (told_to_come_later, {}),
    "retries_exhausted": (told_to_come_later, {"retry": {"max_attempts": 1}}),
    "permanent_failure": (told_never_to_come, {}),
    "bounced": (sent_and_bounced, {}),
    "unknown": (lost_with_its_worker, {"at_most_once": True}),
}
"""What brings it about, and what the step has to say for it."""


def test_no_word_is_left_out() -> None:
    assert set(BY) == OUTCOMES


@pytest.fixture
def caught(journey: Journey, smtp_sink: Mailbox, rest: APIClient) -> Callable[[str, str], Run]:
    """`caught(word, rule)`: a run that `word` happened to, whose step has a rule for `rule`."""

    def happen(word: str, rule: str) -> Run:
        happening, own = BY[word]
        journey.publish(
            {"channel": "email", "template": "hello", "on_outcome": {rule: {"goto": "caught"}}, **own},
            {"kind": "wait", "for": "P1D", "on_timeout": "complete"},
            {"key": "caught", "channel": "in_app", "template": "hello"},
            templates=WORDS,
        )
        run = journey.start("bob", email=ADDRESS)
        happening(journey, run, smtp_sink, rest)
        journey.work()
        smtp_sink.answer_normally()
        return run

    return happen


@pytest.mark.parametrize("word", sorted(BY))
def test_a_word_is_stored_routed_and_told_as_what_it_is(
    word: str, caught: Callable[[str, str], Run], journey: Journey, rest: APIClient
) -> None:
    run = caught(word, word)

    mail, item = journey.deliveries(run)
    (told,) = rest.get("/v1/recipients/bob/history", {"channel": "email"}).json()["items"]
    assert (mail.status, item.channel, journey.run(run).state) == (word, "in_app", "completed")
    assert told["status"] == word
    assert told["why"].startswith("Failed") is (word in FAILED)
    settled = [line.context["outcome"] for line in journey.trace(run) if "outcome" in line.context]
    assert settled[-2:] == [word, "delivered"]
    assert list(verify_trace(tenant_id=journey.tenant.pk)) == []


@pytest.mark.parametrize("word", sorted(set(BY) - {"unknown"}))
def test_a_rule_for_one_word_is_no_rule_for_another(
    word: str, caught: Callable[[str, str], Run], journey: Journey
) -> None:
    run = caught(word, "unknown")

    assert [one.channel for one in journey.deliveries(run)] == ["email"]
