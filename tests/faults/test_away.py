"""PostgreSQL is away for a while: more callers than threads are all told soon, and served as soon as it is back."""

import os
import time
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from chimeway_py.postgres import base
from chimeway_py.postgres.base import AGAIN, BRIEFLY, Patience
from tenants.models import Tenant
from tests.faults.calls import Calls
from tests.faults.calls import Tenant as Caller
from tests.faults.proxy import Proxy
from tests.fleet import Web
from tests.plugin import Servers

CALLERS = 40  # five for each thread: if each waited two seconds for a connection, the last would wait ten
SOON, TRIES = 4.0, 3  # seconds; the best try counts, for others may have had the machine in one


@pytest.fixture
def link(servers: Servers) -> Iterator[Proxy]:
    """The way to PostgreSQL."""
    with Proxy(servers.postgres.port) as proxy:
        yield proxy


@pytest.fixture
def calls(link: Proxy, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    there = urllib.parse.urlsplit(os.environ["DATABASE_URL"])
    netloc = f"{there.netloc.rpartition('@')[0]}@{there.hostname}:{link.port}"
    monkeypatch.setenv("DATABASE_URL", there._replace(netloc=netloc).geturl())
    web = Web(servers.folder / "logs-away")
    web.start()
    host, _, port = urllib.parse.urlsplit(web.url).netloc.partition(":")
    yield Calls(host, int(port), servers.folder / "away.jsonl")
    web.stop()


def away_and_back(calls: Calls, link: Proxy, caller: Caller) -> tuple[float, float]:
    """Seconds until the last of all callers was told, and until somebody was served when it was back."""
    calls.longest_refusal = 0.0
    link.refusing = True
    link.reset()
    with ThreadPoolExecutor(CALLERS) as crowd:
        told = list(crowd.map(lambda number: calls.ask(caller, "POST", "signals", {"name": "a"}), range(CALLERS)))
    link.behave()
    back = time.monotonic()
    while calls.ask(caller, "GET", "tenant").status != 200:
        assert time.monotonic() - back < 30
    assert ({one.status for one in told}, calls.faults) == ({503}, [])
    return calls.longest_refusal, time.monotonic() - back


def test_more_callers_than_threads_are_told_soon_and_served_when_it_is_back(
    calls: Calls, link: Proxy, tenant: Tenant, api_key: Callable[..., str]
) -> None:
    caller = Caller(tenant.slug, api_key(tenant))
    assert calls.ask(caller, "GET", "tenant").status == 200

    told, served = away_and_back(calls, link, caller)
    for _ in range(TRIES - 1):
        if max(told, served) >= SOON:
            told, served = map(min, (told, served), away_and_back(calls, link, caller))

    assert told < SOON
    assert served < SOON


def test_one_waits_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(base.time, "monotonic", lambda: now[0])
    patience = Patience()

    assert [patience.seconds(2), patience.seconds(2)] == [2, 2]
    patience.note(found=False)
    assert [patience.seconds(2), patience.seconds(2)] == [BRIEFLY, BRIEFLY]
    now[0] += AGAIN
    assert [patience.seconds(2), patience.seconds(2)] == [2, BRIEFLY]
    patience.note(found=True)
    assert [patience.seconds(2), patience.seconds(2)] == [2, 2]
