"""The inbox: lists, badges, and marks whose signals are sent exactly once."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from chimeway_py.errors import NotFound
from deliveries.models import InboxItem
from deliveries.services import Mark, mark_item, unread_counts
from signals_app.models import Signal
from signals_app.services import accept_signals
from tenants.models import Tenant
from tests.deliveries.conftest import Journey
from workflows.services.start import NewRun, start_runs
from workflows.services.turn import engine_turn

HELLO = {"hello": {"title": "Hello {{ data.n }}", "text": "t"}}
TELL = {"channel": "in_app", "template": "hello"}
UNREAD = {
    "kind": "wait",
    "for": "P1D",
    "signals": [{"name": "notification.read", "match": {"run_id": "run.id"}, "then": {"stop": "was_read"}}],
}


@pytest.fixture
def inbox(journey: Journey) -> Callable[..., list[InboxItem]]:
    """`inbox(3)` puts three items, each of a run that waits to be read, into anna's inbox."""

    def fill(count: int, subject: str = "anna") -> list[InboxItem]:
        journey.publish(TELL, UNREAD, templates=HELLO)
        for n in range(count):
            journey.start(subject, n=n)
        return journey.inbox(subject)

    return fill


def signals_of(journey: Journey) -> list[tuple[str, str, dict[str, str], str]]:
    rows = Signal.objects.filter(tenant_id=journey.tenant.pk).order_by("id")
    return journey.read(lambda: list(rows.values_list("name", "subject", "correlation", "source")))


@pytest.mark.parametrize("mark", list(Mark))
def test_a_mark_is_written_once_and_told_once(
    mark: Mark, journey: Journey, inbox: Callable[..., list[InboxItem]]
) -> None:
    (item,) = inbox(1)

    first = mark_item(tenant_id=journey.tenant.pk, subject="anna", item=item.public_id, mark=mark)
    second = mark_item(tenant_id=journey.tenant.pk, subject="anna", item=item.public_id, mark=mark)

    column = f"{mark}_at"
    assert getattr(first, column) is not None
    assert getattr(first, column) == getattr(second, column)
    told = {"run_id": str(item.run_public_id), "step": "step_1", "item_id": str(item.public_id)}
    assert signals_of(journey) == [(f"notification.{mark}", "anna", told, "inbox")]


def test_fifty_readers_at_once_send_one_signal(
    journey: Journey, inbox: Callable[..., list[InboxItem]], together: Callable[..., list[Any]]
) -> None:
    (item,) = inbox(1)

    def read() -> InboxItem:
        return mark_item(tenant_id=journey.tenant.pk, subject="anna", item=item.public_id, mark=Mark.READ)

    answers = together(*[read] * 50)

    assert len({answer.read_at for answer in answers}) == 1
    assert [name for name, *_ in signals_of(journey)] == ["notification.read"]


def test_the_mark_and_its_signal_share_one_fate(
    journey: Journey, inbox: Callable[..., list[InboxItem]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (item,) = inbox(1)

    def accept_then_die(**given: Any) -> None:
        accept_signals(**given)
        raise RuntimeError("the process dies before the commit")

    monkeypatch.setattr("deliveries.services.inbox.accept_signals", accept_then_die)
    with pytest.raises(RuntimeError):
        mark_item(tenant_id=journey.tenant.pk, subject="anna", item=item.public_id, mark=Mark.READ)

    assert journey.inbox("anna")[0].read_at is None
    assert signals_of(journey) == []


def test_reading_one_item_ends_its_run_and_leaves_the_other_waiting(
    journey: Journey, inbox: Callable[..., list[InboxItem]]
) -> None:
    first, second = inbox(2)

    mark_item(tenant_id=journey.tenant.pk, subject="anna", item=first.public_id, mark=Mark.READ)
    journey.work()

    states = [journey.run_of(item).state for item in (first, second)]
    assert states == ["stopped", "waiting"]


def test_another_subject_or_tenant_cannot_mark_an_item(
    journey: Journey, inbox: Callable[..., list[InboxItem]], other_tenant: Tenant
) -> None:
    (item,) = inbox(1)

    for tenant_id, subject in [(journey.tenant.pk, "eve"), (other_tenant.pk, "anna")]:
        with pytest.raises(NotFound):
            mark_item(tenant_id=tenant_id, subject=subject, item=item.public_id, mark=Mark.READ)

    assert journey.inbox("anna")[0].read_at is None
    assert signals_of(journey) == []


def test_counts_follow_the_marks(journey: Journey, inbox: Callable[..., list[InboxItem]]) -> None:
    seen, read, archived, _ = inbox(4)

    for item, mark in [(seen, Mark.SEEN), (read, Mark.READ), (archived, Mark.ARCHIVED)]:
        mark_item(tenant_id=journey.tenant.pk, subject="anna", item=item.public_id, mark=mark)

    assert unread_counts(tenant_id=journey.tenant.pk, subject="anna") == {"unread": 2, "unseen": 1}


def test_items_of_one_instant_are_listed_by_their_ids(rest: APIClient, journey: Journey) -> None:
    """The script of the bell has nothing else by which to keep this order."""
    journey.publish(TELL, templates=HELLO)
    runs = [NewRun(subject="anna", data={"n": n}) for n in range(5)]
    start_runs(tenant_id=journey.tenant.pk, definition_key=journey.key, runs=runs)
    engine_turn(tenant_id=journey.tenant.pk)

    items = rest.get("/v1/inbox/anna").json()["items"]
    assert (len(items), len({one["created_at"] for one in items})) == (5, 1)
    assert [one["id"] for one in items] == sorted((one["id"] for one in items), reverse=True)


def test_rest_lists_an_inbox_newest_first_in_pages(
    rest: APIClient, journey: Journey, inbox: Callable[..., list[InboxItem]]
) -> None:
    items = inbox(5)

    first = rest.get("/v1/inbox/anna", {"limit": 2}).json()
    second = rest.get("/v1/inbox/anna", {"limit": 2, "cursor": first["next"]}).json()
    last = rest.get("/v1/inbox/anna", {"limit": 2, "cursor": second["next"]}).json()

    shown = [item["id"] for page in (first, second, last) for item in page["items"]]
    assert shown == [str(item.public_id) for item in reversed(items)]
    assert (first["unread"], first["unseen"], last["next"]) == (5, 5, None)
    assert first["items"][0]["title"] == "Hello 4"


def test_rest_shows_what_was_asked_for(
    rest: APIClient, journey: Journey, inbox: Callable[..., list[InboxItem]]
) -> None:
    read, archived, _ = inbox(3)
    rest.post(f"/v1/inbox/anna/{read.public_id}/read")
    rest.post(f"/v1/inbox/anna/{archived.public_id}/archive")

    def titles(show: str) -> list[str]:
        return [item["title"] for item in rest.get("/v1/inbox/anna", {"show": show}).json()["items"]]

    assert titles("current") == ["Hello 2", "Hello 0"]
    assert titles("unread") == ["Hello 2"]
    assert titles("archived") == ["Hello 1"]
    assert titles("all") == ["Hello 2", "Hello 1", "Hello 0"]
    assert rest.get("/v1/inbox/anna", {"show": "secret"}).status_code == 400
    assert rest.get("/v1/inbox/anna", {"unknown": "1"}).status_code == 400


@pytest.mark.parametrize(("verb", "column"), [("seen", "seen_at"), ("read", "read_at"), ("archive", "archived_at")])
def test_rest_marks_and_repeats_the_answer(
    verb: str, column: str, rest: APIClient, journey: Journey, inbox: Callable[..., list[InboxItem]]
) -> None:
    (item,) = inbox(1)

    answers = [rest.post(f"/v1/inbox/anna/{item.public_id}/{verb}") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200] * 3
    assert len({answer.json()[column] for answer in answers}) == 1
    assert len(signals_of(journey)) == 1


def test_a_subject_may_hold_slashes_and_spaces(
    rest: APIClient, journey: Journey, inbox: Callable[..., list[InboxItem]]
) -> None:
    (item,) = inbox(1, subject="team/röd 1")

    listed = rest.get("/v1/inbox/team%2Fr%C3%B6d%201").json()["items"]
    marked = rest.post(f"/v1/inbox/team%2Fr%C3%B6d%201/{item.public_id}/read")

    assert [one["id"] for one in listed] == [str(item.public_id)]
    assert marked.status_code == 200


def test_another_tenant_sees_and_marks_nothing(
    client_of: Callable[..., APIClient], journey: Journey, inbox: Callable[..., list[InboxItem]], other_tenant: Tenant
) -> None:
    (item,) = inbox(1)
    theirs = client_of(other_tenant)

    listed = theirs.get("/v1/inbox/anna").json()
    foreign = theirs.post(f"/v1/inbox/anna/{item.public_id}/read")
    missing = theirs.post(f"/v1/inbox/anna/{uuid.uuid4()}/read")

    assert (listed["items"], listed["unread"]) == ([], 0)
    assert (foreign.status_code, missing.status_code) == (404, 404)
    assert foreign.json().keys() == missing.json().keys()
    assert foreign.json()["code"] == missing.json()["code"]
    assert journey.inbox("anna")[0].read_at is None
