"""Fixtures for everybody. Tests commit for real, as the app role under row-level security, in tenants of their own."""

import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import django.test.client
import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker
from rest_framework.test import APIClient

from chimeway_py.embedded.broker import Broker
from chimeway_py.embedded.mailbox import Mailbox
from chimeway_py.embedded.postgres import Postgres
from deliveries.broadcasts import turn as broadcasts_turn
from deliveries.timing import releasing
from tenants.api.guessing import keys
from tenants.models import Tenant
from tenants.models.api_key import Scope
from tenants.second_factor.sign_in import sign_ins
from tenants.services import create_api_key, create_tenant
from tests.fleet import Web, Workers
from tests.leaks import Listener
from tests.plugin import SERVERS, Servers
from tests.racing import wait_until_blocked
from tests.shown import leaks
from workflows.digests import turn as digests_turn
from workflows.events import turn as events_turn
from workflows.services import turn

T = TypeVar("T")


@pytest.fixture(scope="session", autouse=True)
def _open_database(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The database of the session is a real one and every test may use it."""
    with django_db_blocker.unblock():
        yield
        connections.close_all()


@pytest.fixture(scope="session", autouse=True)
def _nothing_was_shown(_open_database: None, servers: Servers) -> Iterator[None]:
    """After the last test, no store, log or page of the session shows a secret or a payload of any of them."""
    listener = Listener()
    listener.listen()
    yield
    found = sorted({*listener.shown, *leaks(servers)})
    assert not found, "\n".join(["Something shows what must not be seen:", *found[:40]])


@pytest.fixture(autouse=True)
def _nobody_has_failed() -> None:
    """No test is braked for what others tried in vain."""
    keys.forget()
    sign_ins.forget()


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Servers:
    """PostgreSQL, broker and mail server of this session."""
    return pytestconfig.stash[SERVERS]


@pytest.fixture(scope="session")
def postgres(servers: Servers) -> Postgres:
    """The running PostgreSQL: `postgres.connect()` is a superuser's connection."""
    return servers.postgres


@pytest.fixture
def open_folder(servers: Servers) -> Path:
    """A folder of this test's own that the account of a PostgreSQL can reach (pytest's folders are private)."""
    folder = Path(tempfile.mkdtemp(dir=servers.folder))
    folder.chmod(0o711)
    return folder


@pytest.fixture(scope="session")
def broker(servers: Servers) -> Broker:
    """The running broker."""
    return servers.broker


@pytest.fixture
def new_tenant() -> Callable[[], Tenant]:
    """Makes tenants that nobody else uses."""
    return lambda: create_tenant(slug=f"t-{uuid.uuid4().hex[:20]}")


@pytest.fixture
def tenant(new_tenant: Callable[[], Tenant]) -> Tenant:
    """A tenant of this test's own."""
    return new_tenant()


@pytest.fixture
def other_tenant(new_tenant: Callable[[], Tenant]) -> Tenant:
    """A second tenant, who must notice nothing of the first."""
    return new_tenant()


@pytest.fixture
def api_key() -> Callable[..., str]:
    """`api_key(tenant)` is a key with every scope, `api_key(tenant, [Scope.RUNS_READ])` one with these."""

    def issue(tenant: Tenant, scopes: Sequence[str] = Scope.values) -> str:
        return create_api_key(tenant_id=tenant.pk, name="test", scopes=scopes).token

    return issue


@pytest.fixture
def client_of(api_key: Callable[..., str]) -> Callable[..., APIClient]:
    """`client_of(tenant)` speaks REST as the tenant, with every scope or with those named."""

    def make(tenant: Tenant, scopes: Sequence[str] = Scope.values) -> APIClient:
        client = APIClient(raise_request_exception=False)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {api_key(tenant, scopes)}")
        return client

    return make


@pytest.fixture
def rest(client_of: Callable[..., APIClient], tenant: Tenant) -> APIClient:
    """A REST client of `tenant` with every scope."""
    return client_of(tenant)


@pytest.fixture
def smtp_sink(servers: Servers, settings: Any) -> Iterator[Mailbox]:
    """A real mail server, empty of rules and of mail, that this process and the workers send to."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"  # pytest-django collects in memory
    servers.mailbox.empty()
    yield servers.mailbox
    servers.mailbox.answer_normally()


@pytest.fixture(scope="module")
def _workers(servers: Servers) -> Iterator[Workers]:
    servers.broker.flush()  # the nudges of every test before this one, and below what those tests left due
    with servers.postgres.connect() as superuser:
        superuser.execute("UPDATE workflows_run SET due_at = NULL WHERE due_at IS NOT NULL")
        superuser.execute("UPDATE workflows_steprun SET due_at = NULL WHERE due_at IS NOT NULL")
        superuser.execute("UPDATE workflows_digest SET due_at = NULL WHERE due_at IS NOT NULL")
        superuser.execute(
            "UPDATE deliveries_broadcast SET due_at = NULL, status = 'cancelled' WHERE due_at IS NOT NULL"
        )
        superuser.execute("UPDATE workflows_eventdispatch SET due_at = NULL WHERE due_at IS NOT NULL")
        superuser.execute("UPDATE signals_app_signal SET routed_at = clock_timestamp() WHERE routed_at IS NULL")
    workers = Workers(servers.folder / "logs")
    yield workers
    workers.stop()


@pytest.fixture
def worker_processes(_workers: Workers) -> Workers:
    """Real Celery workers and beat, all alive when the test starts; they end with the module."""
    _workers.start()
    return _workers


@pytest.fixture(scope="module")
def web_server(servers: Servers) -> Iterator[str]:
    """The address of a real web server; it ends with the module."""
    web = Web(servers.folder / "logs")
    web.start()
    yield web.url
    web.stop()


@pytest.fixture(autouse=True, scope="session")
def _turns_end_when_nothing_is_due() -> Iterator[None]:
    """However slow the machine is. Turns of real workers are as short as ever; who asks about that sets it."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (turn, digests_turn, events_turn, broadcasts_turn, releasing):
            patch.setattr(module, "TURN_SECONDS", 60.0)
        yield


@pytest.fixture(autouse=True, scope="session")
def _threads_wait_for_their_turn() -> Iterator[None]:
    """The last of fifty may wait long for a lock on a busy machine. Who asks about a time limit sets it."""
    mine = connections.settings["default"]["OPTIONS"]
    said = mine["options"].replace("lock_timeout=5s", "lock_timeout=60s")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(mine, "options", said.replace("statement_timeout=30s", "statement_timeout=120s"))
        patch.setitem(mine, "connect_timeout", 60)
        yield


@pytest.fixture(autouse=True, scope="session")
def _pages_keep_one_context() -> Iterator[None]:
    """Django copies the context of every part of every page that a test asks for; what tests read is in the first."""
    keep = django.test.client.store_rendered_templates

    def keep_first(store: dict[str, Any], *given: Any, **told: Any) -> None:
        if "context" not in store:
            keep(store, *given, **told)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(django.test.client, "store_rendered_templates", keep_first)
        yield


@pytest.fixture
def together() -> Callable[..., list[Any]]:
    """`together(f, g, …)` calls all at the same moment, each in a thread and connection of its own.

    The result holds, in order, what each returned or the exception that it raised.
    """

    def call_all(*calls: Callable[[], T]) -> list[T | Exception]:
        barrier = threading.Barrier(len(calls))

        def call(one: Callable[[], T]) -> T | Exception:
            barrier.wait(60)
            return _answer(one)

        with ThreadPoolExecutor(len(calls)) as threads:
            return list(threads.map(call, calls))

    return call_all


@pytest.fixture
def in_turn() -> Callable[..., list[Any]]:
    """`in_turn(f, g, …)` is `together` with nothing left to chance: each begins when the one before it has ended.

    A race says only what holds whoever wins. That each of them wins somewhere is shown with this.
    """

    def call_each(*calls: Callable[[], T]) -> list[T | Exception]:
        with ThreadPoolExecutor(1) as thread:
            return [thread.submit(_answer, one).result() for one in calls]

    return call_each


def _answer(call: Callable[[], T]) -> T | Exception:
    try:
        return _closing(call)
    except Exception as error:
        return error


@pytest.fixture
def meanwhile(postgres: Postgres) -> Iterator[Callable[..., Future[Any]]]:
    """`meanwhile(call)` has started a call in a thread, and seen it wait for our transaction."""
    with ThreadPoolExecutor(1) as threads:

        def begin(call: Callable[[], Any]) -> Future[Any]:
            begun = threads.submit(_closing, call)
            wait_until_blocked(postgres)
            return begun

        yield begin


def _closing(call: Callable[[], T]) -> T:
    try:
        return call()
    finally:
        connections.close_all()
