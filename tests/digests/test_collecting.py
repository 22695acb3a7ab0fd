"""Runs of one recipient become one message: who leads, who ends, what the leader goes on with."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from deliveries.models import InboxItem
from deliveries.recipients.upsert import put_recipient
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.digests.collecting import HOUR, REST, bring, close_all, collected_by, collecting, digests_of, items_of
from tests.journeys import drain, publish, run_of, start, told_of
from workflows.definitions.validate import validate
from workflows.digests.closing import close_due_digests
from workflows.digests.windows import first_end, next_end
from workflows.services.start import NewRun, start_runs
from workflows.verify import verify_trace

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def test_the_first_leads_and_the_others_end(tenant: Tenant) -> None:
    collecting(tenant)

    first, second, third = bring(tenant, 1, 2, 3)
    assert [run_of(tenant, one).status_reason for one in (first, second, third)] == ["digest_joined"] * 3
    assert close_due_digests(tenant_id=tenant.pk) == 0
    close_all(tenant)

    [digest] = digests_of(tenant)
    assert (digest.status, digest.closed_by, digest.leader_run_id, digest.due_at) == ("closed", "time", first, None)
    assert (run_of(tenant, first).state, run_of(tenant, first).step) == ("waiting", "rest")
    output = collected_by(tenant, first)
    assert output["items"] == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert (output["count"], output["more"], output["digest"]) == (3, 0, str(digest.public_id))
    for member in (second, third):
        run = run_of(tenant, member)
        assert (run.state, run.status_reason, run.terminal_reason) == ("completed", "digested", "digested")
        told = told_of(tenant, member, "digested")[0]
        assert (told["digest"], told["leader"]) == (str(digest.public_id), str(run_of(tenant, first).public_id))
    assert list(verify_trace(tenant_id=tenant.pk)) == []
    assert close_due_digests(tenant_id=tenant.pk, now=datetime.now(UTC) + timedelta(days=1)) == 0


def test_a_full_digest_closes_early_and_the_next_one_opens(tenant: Tenant) -> None:
    collecting(tenant, {"max_items": 2})

    run_ids = bring(tenant, *range(5))
    assert close_due_digests(tenant_id=tenant.pk) == 2

    found = digests_of(tenant)
    assert [(one.status, one.count, one.closed_by) for one in found] == [
        ("closed", 2, "full"),
        ("closed", 2, "full"),
        ("open", 1, ""),
    ]
    assert [one.leader_run_id for one in found] == [run_ids[0], run_ids[2], None]
    assert [collected_by(tenant, one) and collected_by(tenant, one)["count"] for one in run_ids] == [
        2,
        None,
        2,
        None,
        None,
    ]


def test_many_runs_of_one_batch_are_spread_over_full_digests_in_their_order(tenant: Tenant) -> None:
    collecting(tenant, {"max_items": 3})
    runs = [NewRun(subject=subject, data={"n": number}) for number in range(7) for subject in ("ada", "bob")]
    start_runs(tenant_id=tenant.pk, definition_key="news", runs=runs)
    drain(tenant)

    shapes = [(one.subject, one.count, [item[0] for item in items_of(tenant, one)]) for one in digests_of(tenant)]
    assert sorted(shapes) == [
        *[("ada", 1, [1]), ("ada", 3, [1, 2, 3]), ("ada", 3, [1, 2, 3])],
        *[("bob", 1, [1]), ("bob", 3, [1, 2, 3]), ("bob", 3, [1, 2, 3])],
    ]


def test_the_first_goes_at_once_and_later_ones_collect(tenant: Tenant) -> None:
    collecting(tenant, {"flush_first": True})

    first, second, third = bring(tenant, 1, 2, 3)

    assert run_of(tenant, first).state == "waiting"
    assert collected_by(tenant, first)["items"] == [{"n": 1}]
    close_all(tenant)
    assert collected_by(tenant, second)["items"] == [{"n": 2}, {"n": 3}]
    assert run_of(tenant, third).state == "completed"
    [digest] = digests_of(tenant)
    assert items_of(tenant, digest) == [(1, first, "sent_first"), (2, second, ""), (3, third, "")]
    alone = bring(tenant, 4)
    assert collected_by(tenant, alone[0])["count"] == 1
    close_all(tenant)
    assert (digests_of(tenant)[-1].status, digests_of(tenant)[-1].leader_run_id) == ("closed", None)


def test_a_sliding_window_is_put_off_by_what_comes_but_not_for_ever() -> None:
    window = {"sliding": {"quiet": "PT10M", "at_most": "PT25M"}}
    minute = timedelta(minutes=1)
    ends = first_end(window, NOON, "")
    for after in (0, 9, 18, 24, 30):
        ends = next_end(window, NOON, ends, NOON + after * minute)

    assert first_end(window, NOON, "") == NOON + 10 * minute
    assert next_end(window, NOON, NOON + 10 * minute, NOON + 9 * minute) == NOON + 19 * minute
    assert ends == NOON + 25 * minute
    assert next_end(window, NOON, NOON, NOON + minute) == NOON, "a time that is up is not put off"


def test_what_comes_puts_off_the_end_of_a_sliding_digest(tenant: Tenant) -> None:
    collecting(tenant, {"window": {"sliding": {"quiet": "PT10M", "at_most": "PT2H"}}})
    bring(tenant, 1)
    before = digests_of(tenant)[0].closes_at

    bring(tenant, 2)

    [digest] = digests_of(tenant)
    assert before < digest.closes_at == digest.due_at


def test_a_schedule_goes_by_the_recipients_clock(tenant: Tenant) -> None:
    schedule = {"schedule": {"cron": "0 9 * * *", "zone": "Asia/Tokyo"}}
    collecting(tenant, {"window": schedule})
    put_recipient(tenant_id=tenant.pk, external_id="nora", said={"zone": "America/New_York"})

    bring(tenant, 1, subject="nora")
    bring(tenant, 1, subject="ada")

    hours = {
        one.subject: one.closes_at.astimezone(ZoneInfo(zone)).strftime("%H:%M")
        for one, zone in zip(digests_of(tenant), ("America/New_York", "Asia/Tokyo"), strict=True)
    }
    assert hours == {"nora": "09:00", "ada": "09:00"}


def test_what_is_collected_apart(tenant: Tenant) -> None:
    step = HOUR | {"by": ["data.post", "run.correlation.team"], "item": {"who": "data.n"}}
    publish(tenant, {"key": "news", "correlation": ["team"], "steps": [step, REST]})
    team = {"correlation": {"team": "x"}}
    one, two, alone = (
        start(tenant, "news", data={"n": number, **post}, **team)
        for number, post in enumerate([{"post": "a"}, {"post": "b"}, {}])
    )
    drain(tenant)

    assert [digest.count for digest in digests_of(tenant)] == [1, 1]
    assert (run_of(tenant, alone).state, collected_by(tenant, alone)["items"]) == ("waiting", [{"who": 2}])
    close_all(tenant)
    assert [collected_by(tenant, run_id)["items"] for run_id in (one, two)] == [[{"who": 0}], [{"who": 1}]]


def test_only_what_fits_is_shown(tenant: Tenant) -> None:
    collecting(tenant, {"show": 2})
    first, *_ = bring(tenant, "a", "b", "c")
    close_all(tenant)
    large = bring(tenant, "x" * 40_000, "y" * 40_000, subject="bob")[0]
    close_all(tenant)

    shown = collected_by(tenant, first)
    assert ([item["n"] for item in shown["items"]], shown["count"], shown["more"]) == (["a", "b"], 3, 1)
    assert (len(collected_by(tenant, large)["items"]), collected_by(tenant, large)["more"]) == (1, 1)


def test_templates_conditions_and_calls_see_what_was_collected(tenant: Tenant) -> None:
    enough = {"path": "steps.collect.count", "gte": 2}
    text = "{% for item in steps.collect.items %}{{ item.n }} {% endfor %}and {{ steps.collect.more }} more"
    document = {
        "key": "news",
        "templates": {"all": {"title": "{{ steps.collect.count }} news", "text": text}},
        "steps": [
            HOUR | {"show": 2},
            {"key": "enough", "kind": "branch", "when": [{"if": enough, "then": {"goto": "tell"}}], "else": "complete"},
            {"key": "tell", "kind": "deliver", "channel": "in_app", "template": "all"},
        ],
    }
    publish(tenant, document)

    bring(tenant, 1, 2, 3)
    bring(tenant, 4, subject="bob")
    close_all(tenant)

    with tenant_scope(tenant.pk):
        [item] = InboxItem.objects.filter(tenant_id=tenant.pk)
        assert (item.content["title"], item.content["body"]) == ("3 news", "1 2 and 1 more")


FAULTS = [
    ({"window": {"fixed": "PT0.5S"}}, "/window/fixed"),
    ({"window": {"fixed": "P32D"}}, "/window/fixed"),
    ({"window": {"sliding": {"quiet": "PT2H", "at_most": "PT1H"}}}, "/window/sliding/at_most"),
    ({"window": {"schedule": {"cron": "0 9 31 2 *"}}}, "/window/schedule/cron"),
    ({"window": {"schedule": {"cron": "0 9 * * *", "zone": "Mars/Base"}}}, "/window/schedule/zone"),
    ({"window": {"fixed": "PT1H", "every": "PT1H"}}, "/window"),
    ({"window": {}}, "/window"),
    ({"by": "run.correlation.team"}, "/by"),
    ({"by": ["data.x", "run.nothing"]}, "/by/1"),
    ({"across_subjects": True}, "/across_subjects"),
    ({"item": {"who": "run.nothing"}}, "/item/who"),
    ({"show": 101}, "/show"),
    ({"max_items": 0}, "/max_items"),
    ({"on_outcome": {"read": "complete"}}, "/on_outcome"),
]


@pytest.mark.parametrize(("said", "path"), FAULTS)
def test_faults_name_their_place(said: dict[str, Any], path: str) -> None:
    found = [one["path"] for one in validate({"key": "news", "steps": [HOUR | said]})]

    assert found
    assert all(one.startswith(f"/steps/0{path}") for one in found)
    assert validate({"key": "news", "steps": [HOUR]}) == []
