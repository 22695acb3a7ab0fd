"""Workflow maps of Chimeway become definitions, and their journeys behave as its guide says."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from django.core.management import CommandError, call_command
from hypothesis import Phase, example, given, seed
from hypothesis import settings as rounds

from chimeway_py.errors import Invalid
from deliveries.models import Delivery, InboxItem
from deliveries.services import Mark, mark_item
from deliveries.services.feedback import record_bounce
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import drain, publish, run_of, send, start, waits_of
from workflows.definitions.chimeway import from_chimeway
from workflows.definitions.validate import validate

READ, SEEN = "chimeway.notification.read", "chimeway.notification.seen"


def escalation(*rules: dict[str, Any]) -> dict[str, Any]:
    """The guide's journey: in the app, two hours later by e-mail; with `rules` instead of its own."""
    wait = {
        "kind": "wait_until",
        "anchor": "prior_delivery_terminal_at",
        "delay_seconds": 7200,
        "to_step": "email",
        "cancel_signals": [READ, SEEN, "document.deleted"],
    }
    first = {"step_key": "in_app", "step_order": 1, "channel": "in_app", "config": {"progress": list(rules) or [wait]}}
    second = {"step_key": "email", "step_order": 2, "channel": "email", "config": {}}
    return {"workflow_key": "mention_escalation", "workflow_version": 1, "steps": [second, first]}


def places(value: Any, here: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a JSON value, the whole of it first."""
    yield here
    for name, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(one, (*here, name))


def put(whole: Any, place: tuple[str | int, ...], value: Any) -> Any:
    """The value, standing in its place."""
    if not place:
        return value
    there = whole
    for name in place[:-1]:
        there = there[name]
    there[place[-1]] = value
    return whole


@pytest.fixture
def waiting(tenant: Tenant) -> int:
    """A run of the guide's journey, in its wait."""
    publish(tenant, from_chimeway(escalation()))
    data = {"title": "You were mentioned", "body": "See the document.", "email": "ada@example.org"}
    run_id = start(tenant, "mention_escalation", data=data)
    drain(tenant)
    return run_id


def deliveries(tenant: Tenant) -> list[tuple[str, str]]:
    with tenant_scope(tenant.pk):
        return list(Delivery.objects.filter(tenant_id=tenant.pk).order_by("id").values_list("channel", "status"))


def test_it_waits_two_hours_after_the_delivery_has_converged_and_then_escalates(tenant: Tenant, waiting: int) -> None:
    run = run_of(tenant, waiting)
    assert (run.state, run.step, run.due_at - run.step_entered_at) == ("waiting", "in_app_wait", timedelta(hours=2))
    drain(tenant, now=run.due_at - timedelta(seconds=1))
    assert deliveries(tenant) == [("in_app", "delivered")]

    drain(tenant, now=run.due_at)

    assert deliveries(tenant) == [("in_app", "delivered"), ("email", "planned")]


@pytest.mark.parametrize("mark", [Mark.READ, Mark.SEEN])
def test_reading_or_seeing_ends_it_and_nothing_ever_escalates(tenant: Tenant, waiting: int, mark: Mark) -> None:
    with tenant_scope(tenant.pk):
        item = InboxItem.objects.get(tenant_id=tenant.pk)
    mark_item(tenant_id=tenant.pk, subject="ada", item=item.public_id, mark=mark)
    drain(tenant)
    drain(tenant, now=run_of(tenant, waiting).created_at + timedelta(days=1))

    run = run_of(tenant, waiting)
    assert (run.state, run.terminal_reason) == ("stopped", "cancelled_by_signal")
    assert deliveries(tenant) == [("in_app", "delivered")]
    assert waits_of(tenant, waiting) == [("in_app_wait", 1, "signal")]


def test_any_other_signal_means_the_recipient(tenant: Tenant, waiting: int) -> None:
    send(tenant, "document.deleted", subject="bob")
    drain(tenant)
    assert run_of(tenant, waiting).state == "waiting"

    send(tenant, "document.deleted", subject="ada")
    drain(tenant)
    assert run_of(tenant, waiting).state == "stopped"


def test_every_word_of_outcome_goes_where_its_rule_says() -> None:
    rules = [
        {"kind": "on_outcome", "outcome": "bounced", "to_step": "email"},
        {"kind": "stop", "outcome": "suppressed"},
        {"kind": "on_outcome", "outcome": "temporary_failure", "to_step": "email"},
        {"kind": "stop", "outcome": "bounced"},
    ]

    document = from_chimeway(escalation(*rules))

    assert validate(document) == []
    assert document["steps"][0]["on_outcome"] == {
        "delivered": "complete",
        "suppressed": {"stop": "stopped_on_outcome"},
        "retries_exhausted": "complete",
        "permanent_failure": "complete",
        "bounced": {"goto": "email"},
        "temporary_failure": {"goto": "email"},
    }


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"kind": "sleep"}, "/steps/1/config/progress/0"),
        ({"kind": "stop", "outcome": "eaten"}, "/steps/1/config/progress/0/outcome"),
        ({"kind": "on_outcome", "outcome": "bounced", "to_step": "fax"}, "/steps/1/config/progress/0/to_step"),
        ({"kind": "wait_until", "delay_seconds": 0, "to_step": "email"}, "/steps/1/config/progress/0/delay_seconds"),
        (
            {"kind": "wait_until", "delay_seconds": 5, "to_step": "email", "anchor": "x"},
            "/steps/1/config/progress/0/anchor",
        ),
    ],
)
def test_what_has_no_counterpart_is_refused_by_its_place(change: dict[str, Any], path: str) -> None:
    with pytest.raises(Invalid) as refusal:
        from_chimeway(escalation(change))

    assert [one["path"] for one in refusal.value.detail] == [path]  # type: ignore[index]


def test_null_says_no_more_than_a_name_that_is_not_there() -> None:
    wait = {"kind": "wait_until", "delay_seconds": 5, "to_step": "email"}
    plain, nulls = escalation(wait), escalation(wait | {"anchor": None, "cancel_signals": None})
    nulls["steps"][0]["config"] = None
    plain["steps"][0]["config"] = {"progress": None}

    assert from_chimeway(nulls) == from_chimeway(plain)


@pytest.mark.parametrize(
    ("place", "value", "path"),
    [
        (("step_key",), ["a"], "/steps/1"),
        (("step_order",), True, "/steps/1/step_order"),
        (("channel",), {}, "/steps/1/channel"),
        (("config",), "x", "/steps/1/config"),
        (("config", "progress"), {}, "/steps/1/config/progress"),
        (("config", "progress", 0), None, "/steps/1/config/progress/0"),
        (("config", "progress", 0, "kind"), [], "/steps/1/config/progress/0"),
        (("config", "progress", 0, "to_step"), {}, "/steps/1/config/progress/0/to_step"),
        (("config", "progress", 0, "cancel_signals"), 5, "/steps/1/config/progress/0/cancel_signals"),
        (("config", "progress", 0, "cancel_signals"), "abc", "/steps/1/config/progress/0/cancel_signals"),
    ],
)
def test_another_shape_is_refused_by_its_place(place: tuple[str | int, ...], value: Any, path: str) -> None:
    with pytest.raises(Invalid) as refusal:
        from_chimeway(put(escalation(), ("steps", 1, *place), value))

    assert path in [one["path"] for one in refusal.value.detail]  # type: ignore[index]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@pytest.mark.parametrize(
    "place", sorted(places(escalation()), key=str), ids=lambda place: f"at /{'/'.join(map(str, place))}"
)
def test_whatever_stands_in_a_place_it_is_taken_or_refused(place: tuple[str | int, ...]) -> None:
    @seed(20)
    @rounds(max_examples=25, deadline=None, database=None, phases=[Phase.explicit, Phase.generate])
    @example(None)
    @example([])
    @example({})
    @example("")
    @given(JSON)
    def ask(value: Any) -> None:
        with suppress(Invalid):
            validate(from_chimeway(put(escalation(), place, value)))  # which raises nothing either

    ask()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mention.json"
    path.write_text(json.dumps(escalation()))
    return path


def test_the_command_writes_a_definition_that_validates(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("definitions", "import-chimeway", str(file), "--into", str(file.parent / "ours"))
    call_command("definitions", "validate", str(file.parent / "ours"))

    assert "mention_escalation is valid" in capsys.readouterr().out


def test_the_command_tells_faults_by_file_and_place(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(json.dumps(escalation({"kind": "sleep"})))

    with pytest.raises(CommandError):
        call_command("definitions", "import-chimeway", str(file), "--into", str(file.parent / "ours"))

    assert f"{file}:/steps/1/config/progress/0: " in capsys.readouterr().err
    assert not (file.parent / "ours").exists()


def test_a_bounce_while_it_waits_is_judged_too(tenant: Tenant) -> None:
    wait = escalation()["steps"][1]["config"]["progress"][0]
    workflow = escalation({"kind": "on_outcome", "outcome": "bounced", "to_step": "email"}, wait)
    publish(tenant, from_chimeway(workflow))
    run_id = start(tenant, "mention_escalation", data={"title": "t", "body": "b", "email": "ada@example.org"})
    drain(tenant)
    with tenant_scope(tenant.pk):
        first = Delivery.objects.get(tenant_id=tenant.pk)

    record_bounce(tenant_id=tenant.pk, delivery=first.public_id)
    drain(tenant)

    assert run_of(tenant, run_id).step == "email"
    assert waits_of(tenant, run_id) == [("in_app_wait", 1, "outcome")]
