"""Streams of an inbox: everything that changes is told, places are bounded, and nothing is kept open for long."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from rest_framework.test import APIClient

from deliveries.inbox import looking, stream
from deliveries.inbox.looking import Look
from deliveries.inbox.slots import Slots, StreamsFull, TooManyStreams, slots
from deliveries.models import InboxItem
from tenants.models import ApiKey, Tenant
from tenants.scope import tenant_scope
from tenants.services import revoke_api_key
from tests.deliveries.conftest import Journey
from tests.inbox.conftest import Fill

Event = tuple[str, Any, str]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "LOOK_EVERY", 0.02)


def events(lines: Any) -> Iterator[Event]:
    """(name, data, id) of each event, as they come."""
    for block in lines:
        fields = dict(line.split(": ", 1) for line in block.decode().strip().split("\n"))
        if "event" in fields:
            yield fields["event"], json.loads(fields["data"]), fields.get("id", "")


def opened(rest: APIClient, query: str = "?seconds=20", **headers: str) -> Any:
    answer = rest.get(f"/v1/inbox/anna/stream{query}", **headers)
    assert answer.status_code == 200, answer.content
    return answer


def test_it_tells_of_items_and_marks_as_they_come(rest: APIClient, fill: Fill) -> None:
    (old,) = fill(1)
    with closing(opened(rest)) as answer:
        heard = events(answer.streaming_content)
        assert answer["Content-Type"] == "text/event-stream"
        assert next(heard)[:2] == ("counts", {"unread": 1, "unseen": 1})

        _, new = fill(1)
        name, item, _ = next(heard)
        assert (name, item["id"], item["title"]) == ("item", str(new.public_id), "Hello 0")
        assert next(heard)[:2] == ("counts", {"unread": 2, "unseen": 2})

        rest.post(f"/v1/inbox/anna/{old.public_id}/read")
        name, item, _ = next(heard)
        assert (name, item["id"], item["read_at"] is not None) == ("item", str(old.public_id), True)
        assert next(heard)[:2] == ("counts", {"unread": 1, "unseen": 1})


def test_it_hears_nothing_of_other_inboxes(rest: APIClient, fill: Fill) -> None:
    fill(1)
    with closing(opened(rest, "?seconds=1")) as answer:
        heard = events(answer.streaming_content)
        next(heard)
        fill(1, "eve")

        assert [name for name, *_ in heard] == ["end"]


def test_it_resumes_where_a_browser_lost_it(rest: APIClient, fill: Fill, journey: Journey) -> None:
    fill(2)
    [(_, _, place), _] = events(opened(rest, "?seconds=0").streaming_content)
    with tenant_scope(journey.tenant.pk) as scope:  # long ago, so that nothing of it can have come late
        InboxItem.objects.filter(tenant_id=journey.tenant.pk).update(created_at=scope.now - 2 * looking.LATE)
    *_, missed = fill(1)

    heard = list(events(opened(rest, "?seconds=0", HTTP_LAST_EVENT_ID=place).streaming_content))

    assert [name for name, *_ in heard] == ["item", "counts", "end"]
    assert heard[0][1]["id"] == str(missed.public_id)


def test_what_was_committed_late_is_told_on_a_resume(rest: APIClient, fill: Fill, journey: Journey) -> None:
    """Ids are given before the commit: a smaller one may become visible after a larger one was told."""
    late, _ = fill(2)
    [(_, _, place), _] = events(opened(rest, "?seconds=0").streaming_content)

    heard = list(events(opened(rest, "?seconds=0", HTTP_LAST_EVENT_ID=place).streaming_content))

    assert str(late.public_id) in [data.get("id") for name, data, _ in heard if name == "item"]


def test_a_place_of_another_stream_is_refused(rest: APIClient, fill: Fill) -> None:
    fill(1)
    [(_, _, place), _] = events(opened(rest, "?seconds=0").streaming_content)

    for wrong in (place[:-4] + "AAA=", "x"):
        answer = rest.get("/v1/inbox/anna/stream?seconds=0", HTTP_LAST_EVENT_ID=wrong)
        assert (answer.status_code, answer.json()["detail"][0]["path"]) == (400, "/Last-Event-ID")
    assert rest.get("/v1/inbox/eve/stream?seconds=0", HTTP_LAST_EVENT_ID=place).status_code == 400


@pytest.mark.parametrize("query", ["?seconds=x", "?seconds=-1", "?limit=3&seconds=0&x=1", "?seconds=1&seconds=2"])
def test_a_bad_query_is_refused_and_takes_no_place(query: str, rest: APIClient) -> None:
    answer = rest.get(f"/v1/inbox/anna/stream{query}", HTTP_ACCEPT="text/event-stream")

    assert (answer.status_code, answer["Content-Type"]) == (400, "application/json")
    assert slots.taken == 0


def test_too_many_to_tell_is_a_reset(rest: APIClient, fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "WATCHED", 2)
    [(_, _, place), _] = events(opened(rest, "?seconds=0").streaming_content)
    fill(3)

    heard = events(opened(rest, "?seconds=0", HTTP_LAST_EVENT_ID=place).streaming_content)

    assert [name for name, *_ in heard] == ["reset", "counts", "end"]


def test_what_goes_away_is_a_reset(rest: APIClient, fill: Fill) -> None:
    fill(2)
    with closing(opened(rest)) as answer:
        heard = events(answer.streaming_content)
        next(heard)
        rest.delete("/v1/subjects/anna")

        assert next(heard)[0] == "reset"


@pytest.mark.parametrize(
    ("before", "after", "changed", "lost", "outrun"),
    [
        ({}, {}, [], False, False),
        ({5: 0}, {5: 0, 7: 0}, [7], False, False),
        ({7: 0}, {5: 0, 7: 0}, [5], False, False),  # committed late
        ({5: 0, 7: 0}, {5: 1, 7: 0}, [5], False, False),
        ({5: 0, 7: 0, 8: 0}, {7: 0, 8: 0, 9: 0}, [9], False, False),  # 5 left the window
        ({5: 0, 7: 0, 8: 0}, {4: 0, 5: 0, 7: 0}, [], True, False),  # 8 is gone and 4 slid in
        ({5: 0}, {6: 0, 7: 0, 8: 0}, [6, 7, 8], False, True),
    ],
)
def test_two_looks_are_compared(
    before: Any, after: Any, changed: list[int], lost: bool, outrun: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "WATCHED", 3)
    one, two = Look(before, {}), Look(after, {})

    assert (two.changed_since(one), two.lost_since(one), two.outruns(one)) == (changed, lost, outrun)


def test_places_are_bounded_and_given_back(rest: APIClient, settings: Any) -> None:
    settings.INBOX_STREAMS = 1
    answer = opened(rest)

    full = rest.get("/v1/inbox/anna/stream", HTTP_ACCEPT="text/event-stream")
    assert (full.status_code, full.json()["code"], full["Retry-After"]) == (429, "too_many_streams", "30")
    assert full["Content-Type"] == "application/json"

    answer.close()  # nobody read a word of it
    assert slots.taken == 0
    opened(rest, "?seconds=0").getvalue()
    assert slots.taken == 0


def test_no_tenant_and_no_inbox_takes_every_place(settings: Any) -> None:
    settings.INBOX_STREAMS = 6
    places = Slots()
    for subject in ("anna", "anna"):
        places.take((1, subject))

    with pytest.raises(TooManyStreams, match="inbox"):
        places.take((1, "anna"))
    places.take((1, "eve"))
    with pytest.raises(TooManyStreams, match="tenant"):
        places.take((1, "paul"))
    for subject in ("anna", "anna", "eve"):
        places.take((2, subject))
    with pytest.raises(StreamsFull):
        places.take((3, "anna"))
    places.give_back((1, "anna"))
    places.take((3, "anna"))
    assert places.taken == 6


def test_a_tenant_that_opens_all_it_may_leaves_streams_for_another(
    rest: APIClient, api_key: Callable[..., str], other_tenant: Tenant, settings: Any
) -> None:
    settings.INBOX_STREAMS = 4
    with ExitStack() as stack:
        mine = [rest.get(f"/v1/inbox/person-{number}/stream?seconds=20") for number in range(5)]
        other = {"Authorization": f"Bearer {api_key(other_tenant)}"}
        theirs = APIClient(headers=other).get("/v1/inbox/anna/stream?seconds=20")
        for one in (*mine, theirs):
            stack.callback(one.close)

        assert [one.status_code for one in (*mine, theirs)] == [200, 200, 429, 429, 429, 200]


def test_a_share_can_be_set(settings: Any) -> None:
    settings.INBOX_STREAMS, settings.INBOX_STREAMS_PER_TENANT = 4, 1
    places = Slots()
    places.take((1, "anna"))

    with pytest.raises(TooManyStreams, match="tenant"):
        places.take((1, "eve"))


def test_places_are_counted_right_by_many_threads(settings: Any) -> None:
    settings.INBOX_STREAMS = 8
    places, most = Slots(), []

    def come_and_go(owner: int) -> None:
        for _ in range(200):
            try:
                places.take((owner, "anna"))
            except StreamsFull:
                continue
            most.append(places.taken)
            places.give_back((owner, "anna"))

    threads = [threading.Thread(target=come_and_go, args=[n]) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert (places.taken, max(most) <= 8) == (0, True)


def test_a_stream_ends_when_its_key_does(rest: APIClient, journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT", 0.1)
    with closing(opened(rest)) as answer:
        heard = answer.streaming_content
        while next(heard) != b": still here\n\n":
            pass
        key = journey.read(lambda: ApiKey.objects.get(tenant_id=journey.tenant.pk))
        revoke_api_key(tenant_id=journey.tenant.pk, public_id=key.public_id)

        *_, last = events(block for block in heard if not block.startswith(b":"))

    assert last[:2] == ("end", {"reason": "not_authenticated"})


def test_nothing_is_told_to_a_stream_whose_key_was_revoked(rest: APIClient, journey: Journey, fill: Fill) -> None:
    """Without waiting for the next sign of life, which is seconds away."""
    with closing(opened(rest)) as answer:
        heard = events(answer.streaming_content)
        assert next(heard)[0] == "counts"
        key = journey.read(lambda: ApiKey.objects.get(tenant_id=journey.tenant.pk))
        revoke_api_key(tenant_id=journey.tenant.pk, public_id=key.public_id)
        fill(1)

        assert [one[:2] for one in heard] == [("end", {"reason": "not_authenticated"})]


def test_a_token_ends_its_stream(browser: Callable[..., APIClient], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliveries.api.inbox_live.USUAL_MINUTES", 15)
    seen: list[float] = []
    monkeypatch.setattr(
        "deliveries.api.inbox_live.InboxStream", lambda wanted: seen.append(wanted.seconds) or iter([b""])
    )

    browser("anna").get("/v1/inbox/anna/stream?seconds=99999")

    assert 0 < seen[0] <= 300


def test_other_processes_are_heard(web_server: str, rest: APIClient, fill: Fill) -> None:
    """The stream is of a real web server; the items are committed by this process."""
    token = rest.post("/v1/inbox/anna/tokens", {}).json()["token"]

    def listen(seconds: int) -> Any:
        asked = urllib.request.Request(f"{web_server}/v1/inbox/anna/stream?seconds={seconds}&token={token}")
        asked.add_header("Accept", "text/event-stream")
        return urllib.request.urlopen(asked, timeout=90)

    with listen(60) as answer:
        assert b"event: counts\n" in answer
        fill(1)
        assert b"event: item\n" in answer
        assert any(b'"title":"Hello 0"' in line for line in answer)
    with listen(0) as answer:
        assert b"event: end\n" in answer
