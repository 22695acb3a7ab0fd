"""What a fault counts is what it did: a link that stays as it was, and peers who answer, are no fault."""

import random
import threading
import time
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chimeway_py.demo.supervisor import Supervisor
from chimeway_py.embedded.mailbox import Mailbox
from chimeway_py.embedded.postgres import Postgres
from chimeway_py.embedded.processes import Child
from tests.faults import chaos
from tests.faults.chaos import database, processes, providers
from tests.faults.checker import Verdict
from tests.faults.provider import Provider
from tests.faults.proxy import Proxy
from tests.faults.recovery import too_slow, untried
from tests.faults.report import Report


class Stubborn(Proxy):
    """Passes everything on at once, whatever it is told."""

    latency = property(lambda self: 0.0, lambda self, value: None)  # type: ignore[assignment]

    def fall_silent(self) -> None:
        """It does not."""


def world_of(kind: str, **ground: Any) -> chaos.World:
    whole: Any = SimpleNamespace(**ground)
    return chaos.World(whole, random.Random(1), chaos.Broken(kind, 4))


@pytest.mark.parametrize("kind", ["silence_database_link", "slow_database_link"])
@pytest.mark.parametrize("make", [Proxy, Stubborn])
def test_a_link_is_silent_or_slow_where_an_answer_shows_it(
    kind: str, make: type[Proxy], postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LATENCY", 0.3)  # no machine is so busy
    monkeypatch.setattr(database, "ANSWERS_WITHIN", 0.3 if make is Proxy else 5)
    with make(postgres.port) as link:
        world = world_of(kind, database_link=link)
        for _ in chaos.KINDS[kind](world):
            pass

    assert world.broken.happened == (make is Proxy)


class Clock:
    """Each look at it is half a second later."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 0.5
        return self.now


@pytest.mark.parametrize(("posts", "mails"), [(2, 1), (0, 1), (2, 0)])
def test_providers_are_silent_where_somebody_waited(posts: int, mails: int, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = SimpleNamespace(held=5, hold=threading.Event())
    mailbox = SimpleNamespace(holding=mails, hold=lambda pattern: None, answer_normally=lambda: None)
    world = world_of("silence_providers", provider=provider, mailbox=mailbox)
    monkeypatch.setattr(providers, "time", Clock())
    silence = providers.silence_providers(world)

    next(silence)
    assert provider.hold.is_set()
    provider.held += posts
    assert [*silence]

    assert not provider.hold.is_set()
    happened = bool(posts and mails)
    assert (world.broken.happened, world.broken.gave_up) == (happened, not happened)


def test_a_provider_counts_whom_it_keeps_waiting(tmp_path: Path) -> None:
    provider = Provider(tmp_path / "ledger").start()
    try:
        assert (post(provider), provider.held) == (204, 0)
        provider.hold.set()
        waiting = threading.Thread(target=post, args=(provider,))
        waiting.start()
        while not provider.held:
            assert waiting.is_alive()
        provider.hold.clear()
        waiting.join(5)
        assert provider.held == 1
    finally:
        provider.stop()


def post(provider: Provider) -> int:
    link = HTTPConnection("127.0.0.1", provider.port, timeout=5)
    link.request("POST", "/ok", b"{}", {"webhook-id": "one"})
    return link.getresponse().status


def test_mail_is_refused_where_the_server_says_so(smtp_sink: Mailbox) -> None:
    world, deaf = world_of("refuse_mail", mailbox=smtp_sink), SimpleNamespace(port=1, answer=lambda *_: None)
    never = world_of("refuse_mail", mailbox=deaf)

    next(providers.refuse_mail(world))
    next(providers.refuse_mail(never))

    assert (world.kills, never.kills) == ({"refusals": 1}, {})


@pytest.mark.parametrize("went", [3, 0])
def test_sweepers_stay_away_for_seconds_in_which_runs_went_all_the_way(
    went: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = Supervisor([Child(name, ["sleep", "60"]) for name in processes.SWEEPERS])
    world = world_of("kill_sweepers", supervisor=supervisor, child=supervisor.child)
    monkeypatch.setattr(chaos.World, "ask", lambda *_: went)
    monkeypatch.setattr(processes, "flush", lambda world: None)
    monkeypatch.setattr(processes, "time", SimpleNamespace(monotonic=Clock().monotonic, time=time.time))
    supervisor.start()
    try:
        away = processes.kill_sweepers(world)
        next(away)
        supervisor.look()
        assert not any(watched.child.is_running for watched in supervisor.watched)
        for watched in supervisor.watched:
            watched.look(time.monotonic() + processes.DOWN)
        assert all(watched.child.is_running for watched in supervisor.watched)
        assert [*away]
    finally:
        supervisor.kill()

    assert (world.kills, world.broken.happened) == ({"beat": 2, "sweeper": 2}, went > 0)


def test_what_a_busy_machine_did_not_come_to_is_told_and_is_no_failure() -> None:
    """And on one that has nothing else to do it is a failure, as what never happened for another reason is on any."""
    faults = [
        chaos.Broken("die_before_finish", 4, gave_up=True, note="nothing came to it"),
        chaos.Broken("kill_web", 9),
    ]

    quiet, busy = [*untried(faults, [])], [*untried(faults, [], busy=True)]

    assert [text.partition(":")[0] for text in quiet] == ["die_before_finish", "kill_web"]
    assert [text.partition(":")[0] for text in busy] == ["kill_web"]
    assert [text.partition(":")[0] for text in too_slow(faults)] == ["die_before_finish"]


def test_a_report_tells_each_kind_of_process_and_how_often_each_fault_happened() -> None:
    report = Report(
        "seed", 1, {200: 1}, {"web": 1, "engine": 2}, {"kill_web": 1, "clock_ahead": 2}, [], [], Verdict(), [], 1.0, 0.0
    )

    lines = [" ".join(line.split()) for line in report.lines()]

    assert {"broken engine 2, web 1", "faults clock_ahead 2, kill_web 1"} <= {*lines}
