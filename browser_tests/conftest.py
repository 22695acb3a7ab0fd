"""A browser, a product's page and the service behind it. It is the system's Chromium; without one, this fails."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from chimeway_py.demo.shop import Shop
from chimeway_py.embedded.memory import free_port
from tenants.models import Tenant
from tests.conftest import _open_database, api_key, new_tenant, servers, tenant
from tests.deliveries.conftest import Journey
from tests.fleet import Web
from tests.plugin import Servers

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def program() -> str:
    """The browser: `CHIMEWAY_BROWSER`, or one of the path."""
    found = os.environ.get("CHIMEWAY_BROWSER") or next(filter(None, map(shutil.which, PROGRAMS)), "")
    assert found, f"No browser: install one of {', '.join(PROGRAMS)}, or set CHIMEWAY_BROWSER."
    return found


@pytest.fixture
def journey(tenant: Tenant) -> Journey:
    """A journey that puts what its data says into an inbox."""
    made = Journey(tenant)
    words = {"hello": {"title": "Hello {{ data.n }}", "text": "{{ data.text | default: 'A message' }}"}}
    made.publish({"channel": "in_app", "template": "hello"}, templates=words)
    return made


@pytest.fixture
def streams() -> int:
    """How many streams the service keeps open; a test may say otherwise."""
    return 4


@pytest.fixture
def address(servers: Servers, api_key: Callable[..., str], tenant: Tenant, streams: int) -> Iterator[str]:
    """Where the product's page is. Service and product run until the test ends."""
    port = free_port()
    env = {"INBOX_ORIGINS": f"http://127.0.0.1:{port}", "INBOX_STREAMS": str(streams)}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        web = Web(servers.folder / "logs")
    web.start()
    shop = Shop(port, web.url, api_key(tenant))
    threading.Thread(target=shop.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{port}/"
    shop.shutdown()
    shop.server_close()
    web.stop()


@pytest.fixture
def page(program: str, journey: Journey, address: str) -> Iterator[Page]:
    """A page that fails the test when its policy is broken or a script throws.

    It comes after what asks the database: the browser's loop runs in this thread, and Django asks nothing in a loop.
    """
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser: Browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        made = browser.new_context().new_page()
        made.on("pageerror", lambda error: faults.append(str(error)))
        made.on("console", lambda line: faults.append(line.text) if "Content Security Policy" in line.text else None)
        yield made
        browser.close()
    assert faults == []


__all__ = ["_open_database", "api_key", "new_tenant", "servers", "tenant"]  # fixtures of all tests
