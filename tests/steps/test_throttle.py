"""The `throttle` step: so many pass within a window and never more, whoever comes at once or is tried again."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from signals_app.subjects.erase import erase_subject
from tenants.models import Tenant
from tenants.scope import database_now, tenant_scope
from tenants.sql import execute
from tests.journeys import drain, publish, reasons_of, run_of, start, told_of
from tests.retention.conftest import keep, prune
from tests.steps.owing import key_of, make_due, step_run_of
from workflows.definitions.validate import validate
from workflows.explain import explain_run
from workflows.models import Run, ThrottlePass
from workflows.services.advance import advance_due
from workflows.services.control import cancel_runs, pause_runs, resume_runs
from workflows.services.start import NewRun, start_runs
from workflows.services.turn import work_turn
from workflows.services.work import claim_work, finish_work, perform
from workflows.states import Cause
from workflows.store import write
from workflows.throttles.forgetting import forget_old_passes
from workflows.verify import verify_trace

SLOW: dict[str, Any] = {"key": "slow", "kind": "throttle", "window": "PT1H", "threshold": 2}
REST = {"key": "rest", "kind": "wait", "for": "P1D"}
ASKED: dict[str, Any] = {"cause": Cause.API, "cause_ref": "", "reason": "a test"}


def slowed(tenant: Tenant, step: Mapping[str, Any] | None = None) -> None:
    publish(tenant, {"key": "alarm", "steps": [SLOW | dict(step or {}), REST]})


def come(tenant: Tenant, number: int, subject: str = "ada", **given: Any) -> list[int]:
    """So many runs, one after the other."""
    run_ids = []
    for _ in range(number):
        run_ids.append(start(tenant, "alarm", subject, **given))
        drain(tenant)
    return run_ids


def ends(tenant: Tenant, *run_ids: int) -> list[str]:
    """Where each run has come to: the step after the throttle, or why it ended, or that it is held."""
    found = [run_of(tenant, run_id) for run_id in run_ids]
    return [run.terminal_reason or (run.step if run.state == "waiting" else "held") for run in found]


def passes(tenant: Tenant) -> list[ThrottlePass]:
    with tenant_scope(tenant.pk):
        return list(ThrottlePass.objects.filter(tenant_id=tenant.pk).order_by("at", "id"))


def let_pass(tenant: Tenant, length: str) -> None:
    """So much time goes by."""
    with tenant_scope(tenant.pk):
        moved = "UPDATE workflows_throttlepass SET at = at - %s::interval, expires_at = expires_at - %s::interval "
        execute(moved + "WHERE tenant_id = %s", [length, length, tenant.pk])
        statement = "UPDATE workflows_steprun SET due_at = due_at - %s::interval WHERE tenant_id = %s"
        execute(statement, [length, tenant.pk])


def control(tenant: Tenant, verb: Callable[..., Any], *run_ids: int) -> None:
    verb(tenant_id=tenant.pk, public_ids=[run_of(tenant, one).public_id for one in run_ids], **ASKED)


def test_sixteen_at_once_and_no_more_pass_than_may(tenant: Tenant, together: Callable[..., list[Any]]) -> None:
    slowed(tenant, {"threshold": 5, "across_subjects": True, "by": "data.team"})
    for team in ("red", "blue", "green"):
        runs = [NewRun(subject=f"s{number}", data={"team": team}) for number in range(16)]
        started = start_runs(tenant_id=tenant.pk, definition_key="alarm", runs=runs)

        answers = together(*[lambda: advance_due(tenant_id=tenant.pk, limit=1)] * 16)

        assert [one for one in answers if isinstance(one, Exception)] == []
        drain(tenant)
        told = ends(tenant, *(one.run_id for one in started))
        assert sorted(told) == ["rest"] * 5 + ["throttled"] * 11
    assert len(passes(tenant)) == 15
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def test_a_try_that_is_rolled_back_uses_nothing_up(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    slowed(tenant)
    first = start(tenant, "alarm")
    with monkeypatch.context() as broken:
        broken.setattr(write, "_write", lambda *_: 1 / 0)
        advance_due(tenant_id=tenant.pk)
    assert passes(tenant) == []

    with tenant_scope(tenant.pk):
        Run.objects.for_tenant(tenant.pk).filter(pk=first).update(due_at=database_now())
    drain(tenant)

    assert (len(passes(tenant)), ends(tenant, first, *come(tenant, 2))) == (1, ["rest", "rest", "throttled"])


def test_what_is_one_too_many_says_who_used_the_budget_up(tenant: Tenant) -> None:
    slowed(tenant, {"on_limit": {"stop": "enough"}})
    first, second, third = come(tenant, 3)

    assert ends(tenant, first, second, third, *come(tenant, 1, "bob")) == ["rest", "rest", "enough", "rest"]
    said = explain_run(tenant_id=tenant.pk, public_id=run_of(tenant, third).public_id)
    for passed in (first, second):
        assert str(run_of(tenant, passed).public_id) in said.sentence
    assert "2 per PT1H" in said.sentence
    [context] = told_of(tenant, third, "step_settled")
    assert (context["outcome"], context["used"], context["rule"]) == ("limited", 2, "2 per PT1H")
    let_pass(tenant, "1 hour")
    assert ends(tenant, *come(tenant, 1)) == ["rest"]


def test_each_target_is_followed(tenant: Tenant) -> None:
    wanted = {"complete": "completed_by_rule", "throttled": "throttled"}
    for target, end in wanted.items():
        slowed(tenant, {"threshold": 1} | ({} if target == "throttled" else {"on_limit": target}))
        assert ends(tenant, *come(tenant, 2, target)) == ["rest", end]
    slowed(tenant, {"threshold": 1, "on_limit": {"goto": "rest"}})
    assert ends(tenant, *come(tenant, 2, "goto")) == ["rest", "rest"]


def test_delayed_runs_get_turns_in_their_order(tenant: Tenant) -> None:
    slowed(tenant, {"threshold": 1, "on_limit": "delay"})
    first, second, third = come(tenant, 3)
    assert ends(tenant, first, second, third) == ["rest", "held", "held"]
    times = [one.at - passes(tenant)[0].at for one in passes(tenant)]
    assert times == [timedelta(0), timedelta(hours=1), timedelta(hours=2)]
    said = explain_run(tenant_id=tenant.pk, public_id=run_of(tenant, second).public_id)
    assert "held back until" in said.sentence
    assert f"the throttle: 1 per PT1H, used up by the run {run_of(tenant, first).public_id}" in said.sentence
    assert claim_work(tenant_id=tenant.pk, worker="early") is None

    let_pass(tenant, "1 hour")
    work_turn(tenant_id=tenant.pk)
    assert ends(tenant, second, third) == ["rest", "held"]
    let_pass(tenant, "1 hour")
    work_turn(tenant_id=tenant.pk)

    assert ends(tenant, third) == ["rest"]
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def test_many_of_one_batch_are_counted_one_by_one(tenant: Tenant) -> None:
    slowed(tenant, {"on_limit": "delay"})
    runs = [NewRun(subject=subject) for subject in ("ada",) * 5 + ("bob",) * 3]
    start_runs(tenant_id=tenant.pk, definition_key="alarm", runs=runs)

    drain(tenant)

    first = passes(tenant)[0].at
    hours = [(one.subject, (one.at - first) // timedelta(hours=1), one.passed) for one in passes(tenant)]
    assert sorted(hours) == [
        *[("ada", 0, True), ("ada", 0, True), ("ada", 1, False), ("ada", 1, False), ("ada", 2, False)],
        *[("bob", 0, True), ("bob", 0, True), ("bob", 1, False)],
    ]


def test_a_turn_that_comes_late_is_given_anew_when_the_window_is_full(tenant: Tenant) -> None:
    slowed(tenant, {"threshold": 1, "on_limit": "delay"})
    _, second, third = come(tenant, 3)
    control(tenant, pause_runs, second)
    let_pass(tenant, "2 hours")
    work_turn(tenant_id=tenant.pk)
    assert ends(tenant, third) == ["rest"]

    control(tenant, resume_runs, second)
    work_turn(tenant_id=tenant.pk)

    assert ends(tenant, second) == ["held"]
    later = {one.key: one for one in passes(tenant)}
    mine, other = (later[key_of(tenant, run_id, "slow")] for run_id in (second, third))
    assert (mine.passed, mine.at - other.at) == (False, timedelta(hours=1))
    let_pass(tenant, "1 hour")
    work_turn(tenant_id=tenant.pk)
    assert ends(tenant, second) == ["rest"]


def test_a_worker_that_dies_after_it_took_the_turn_has_taken_it_once(tenant: Tenant) -> None:
    slowed(tenant, {"threshold": 1, "on_limit": "delay"})
    _, second = come(tenant, 2)
    let_pass(tenant, "1 hour")
    lost = claim_work(tenant_id=tenant.pk, worker="lost")
    assert lost is not None
    perform(lost)
    make_due(tenant)

    claim = claim_work(tenant_id=tenant.pk, worker="next")
    assert claim is not None
    finish_work(claim=claim, outcome=perform(claim))

    assert (ends(tenant, second), [one.passed for one in passes(tenant)]) == (["rest"], [True, True])
    assert step_run_of(tenant, second, "slow").outcome == "passed"


def test_a_turn_that_comes_late_is_not_forgotten_and_what_has_passed_may_be(tenant: Tenant) -> None:
    slowed(tenant, {"threshold": 1, "on_limit": "delay"})
    _, second = come(tenant, 2)
    control(tenant, pause_runs, second)
    let_pass(tenant, "3 hours")
    forget_old_passes()
    assert [one.key for one in passes(tenant)] == [key_of(tenant, second, "slow")]
    control(tenant, resume_runs, second)

    lost = claim_work(tenant_id=tenant.pk, worker="lost")
    assert lost is not None
    assert perform(lost).word == "passed"
    let_pass(tenant, "1 hour")
    forget_old_passes()
    make_due(tenant)
    work_turn(tenant_id=tenant.pk)

    assert (ends(tenant, second), passes(tenant)) == (["rest"], [])


def test_a_run_that_ends_in_the_hands_of_a_worker_gives_its_turn_back(tenant: Tenant) -> None:
    slowed(tenant, {"threshold": 1, "on_limit": "delay"})
    first, second = come(tenant, 2)
    let_pass(tenant, "1 hour")
    claim = claim_work(tenant_id=tenant.pk, worker="slow")
    assert claim is not None
    control(tenant, cancel_runs, second)

    finish_work(claim=claim, outcome=perform(claim))

    assert [one.key for one in passes(tenant)] == [key_of(tenant, first, "slow")]


def test_a_cancelled_run_gives_its_turn_back(tenant: Tenant) -> None:
    slowed(tenant, {"threshold": 1, "on_limit": "delay"})
    first, second = come(tenant, 2)

    control(tenant, cancel_runs, first, second)

    assert [one.key for one in passes(tenant)] == [key_of(tenant, first, "slow")], "what has passed counts"
    third = come(tenant, 1)[0]
    assert passes(tenant)[1].at - passes(tenant)[0].at == timedelta(hours=1)
    assert reasons_of(tenant, third)[-1] == "work_held"


@pytest.mark.parametrize(("missing", "end"), [({}, "rest"), ({"missing_key": "closed"}, "throttled")])
def test_without_a_key_it_is_open_or_closed(missing: dict[str, str], end: str, tenant: Tenant) -> None:
    slowed(tenant, {"threshold": 1, "by": "data.team"} | missing)

    came = come(tenant, 2)
    assert ends(tenant, *came) == [end, end]
    explained = explain_run(tenant_id=tenant.pk, public_id=run_of(tenant, came[0]).public_id)
    assert ("its `by` led nowhere" in explained.sentence) is (end == "throttled")
    assert (passes(tenant), ends(tenant, *come(tenant, 1, data={"team": "x"}))) == ([], ["rest"])


def test_a_pass_counts_as_long_as_its_window_whatever_becomes_of_its_run(tenant: Tenant) -> None:
    slowed(tenant, {"threshold": 1, "across_subjects": True})
    [first] = come(tenant, 1)
    control(tenant, cancel_runs, first)
    with tenant_scope(tenant.pk):
        Run.objects.for_tenant(tenant.pk).filter(pk=first).update(finished_at=database_now() - timedelta(days=99))
    keep(tenant, "cancelled")
    assert prune(tenant)["run"] == 1

    assert ends(tenant, *come(tenant, 1, "bob")) == ["throttled"]
    forget_old_passes()
    assert len(passes(tenant)) == 1
    let_pass(tenant, "1 hour")
    assert (forget_old_passes(), passes(tenant)) == (1, [])


def test_an_erased_subject_has_passed_nothing(tenant: Tenant) -> None:
    slowed(tenant, {"by": "data.team"})
    come(tenant, 1, data={"team": "red"})

    erased = erase_subject(tenant_id=tenant.pk, subject="ada", cause="operator", cause_ref="olga", reason="asked")

    assert (erased.counts["throttle_passes"], passes(tenant)) == (1, [])


FAULTS = [
    ({"window": "PT0.5S"}, "/window"),
    ({"window": "P32D"}, "/window"),
    ({"threshold": 0}, "/threshold"),
    ({"by": ["data.x", "run.nothing"]}, "/by/1"),
    ({"missing_key": "closed"}, "/missing_key"),
    ({"by": "data.x", "missing_key": "ajar"}, "/missing_key"),
    ({"on_limit": "wait"}, "/on_limit"),
    ({"on_limit": {"goto": "nowhere"}}, "/on_limit/goto"),
    ({"on_outcome": {"limited": "complete"}}, "/on_outcome"),
]


@pytest.mark.parametrize(("said", "path"), FAULTS)
def test_faults_name_their_place(said: dict[str, Any], path: str) -> None:
    found = [one["path"] for one in validate({"key": "alarm", "steps": [SLOW | said]})]

    assert found
    assert all(one.startswith(f"/steps/0{path}") for one in found)
    assert validate({"key": "alarm", "steps": [SLOW | {"on_limit": "delay"}, REST]}) == []
