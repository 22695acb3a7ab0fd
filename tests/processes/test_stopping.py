"""Asked to stop under load: what is under way is finished and answered, and nothing is lost."""

import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chimeway_py.embedded.mailbox import Mailbox
from chimeway_py.embedded.postgres import Postgres
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.faults.calls import Calls
from tests.faults.calls import Tenant as Client
from tests.fleet import Web, Workers
from tests.journeys import publish, start
from tests.plugin import Servers
from tests.processes.test_recovery import MAIL, address, state, until
from workflows.models import Attempt, Run
from workflows.verify import verify_trace

__all__ = ["address"]

STOPS_WITHIN = 30.0  # seconds
PACE = 0.03  # seconds between an answer and the next request of a caller
BLOCKED = 3  # requests that wait for a lock when the server is asked to stop
_BLOCKED = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'signals_app_signal'::regclass"


class Callers:
    """Two who start a run as soon as the one before was accepted, each request until it is answered."""

    def __init__(self, calls: Calls, client: Client, domain: str) -> None:
        self.calls, self.client, self.domain = calls, client, domain
        self.going, self.accepted, self.refused = True, list[str](), list[int]()
        self.threads = [threading.Thread(target=self._call, args=(number,), daemon=True) for number in range(2)]
        for thread in self.threads:
            thread.start()

    def _call(self, caller: int) -> None:
        number = 0
        while self.going:
            number += 1
            who = f"c{caller}-{number}"
            body = {"workflow": "mail", "subject": who, "data": {"email": f"{who}@{self.domain}"}}
            answer = self.calls.insist(self.client, "POST", "runs", body)
            if answer.accepted:
                self.accepted.append(who)
            else:
                self.refused.append(answer.status)
            time.sleep(PACE)

    def stop(self) -> None:
        self.going = False
        for thread in self.threads:
            thread.join(20)


@pytest.fixture
def web(servers: Servers) -> Iterator[Web]:
    web = Web(servers.folder / "logs")
    web.start()
    yield web
    web.stop()


@pytest.fixture
def calls(web: Web, tmp_path: Path) -> Calls:
    url = urllib.parse.urlsplit(web.url)
    assert url.hostname
    assert url.port
    return Calls(url.hostname, url.port, tmp_path / "requests.jsonl")


def test_what_is_under_way_is_finished_and_answered_and_nothing_is_lost(
    tenant: Tenant,
    api_key: Callable[[Tenant], str],
    worker_processes: Workers,
    web: Web,
    calls: Calls,
    smtp_sink: Mailbox,
    address: str,
    postgres: Postgres,
) -> None:
    publish(tenant, MAIL)
    client = Client(tenant.slug, api_key(tenant))
    domain = f"{tenant.slug}.example.org"
    smtp_sink.hold(address)
    held = start(tenant, "mail", data={"email": address})
    until(lambda: smtp_sink.is_holding(address))
    callers = Callers(calls, client, domain)
    until(lambda: len(callers.accepted) > 10)
    stopping = [web.server, worker_processes.engine, worker_processes.work]

    with ThreadPoolExecutor(BLOCKED) as threads, postgres.connect() as somebody:
        with somebody.transaction():
            somebody.execute("LOCK TABLE signals_app_signal IN SHARE MODE")
            blocked = [threads.submit(calls.ask, client, "POST", "signals", {"name": "a.b"}) for _ in range(BLOCKED)]
            until(lambda: somebody.execute(_BLOCKED).fetchone() >= (BLOCKED,))
            began, before = time.monotonic(), len(callers.accepted)
            for child in stopping:
                child.ask_to_stop()
            somebody.execute("SELECT pg_sleep(0.5)")  # they have heard it, and have all of this to finish
        smtp_sink.answer_normally()
        for child in stopping:
            assert child.wait(STOPS_WITHIN - (time.monotonic() - began)), f"{child.name} is still there"
        assert [one.result().status for one in blocked] == [202] * BLOCKED
        assert [child.exit_code for child in stopping] == [0, 0, 0]
    with tenant_scope(tenant.pk):
        tries = Attempt.objects.filter(tenant_id=tenant.pk, step_run__run_id=held)
        assert [one.status for one in tries] == ["finished"]
    web.start()
    worker_processes.start()
    until(lambda: len(callers.accepted) > before + 5)
    callers.stop()

    until(lambda: {state(tenant, run.pk) for run in runs_of(tenant)} == {"completed"}, 30)
    assert callers.refused == []
    assert sorted(run.subject for run in runs_of(tenant)) == sorted(["ada", *callers.accepted])
    arrived = Counter(str(mail["To"]) for mail in smtp_sink.all())
    assert {arrived[to] for to in (address, *(f"{who}@{domain}" for who in callers.accepted))} == {1}
    with tenant_scope(tenant.pk):
        assert {one.status for one in Attempt.objects.filter(tenant_id=tenant.pk)} == {"finished"}
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def runs_of(tenant: Tenant) -> list[Run]:
    with tenant_scope(tenant.pk):
        return list(Run.objects.filter(tenant_id=tenant.pk))
