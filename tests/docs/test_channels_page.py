"""The channel of the page about channels: its file is all there is, and messages arrive."""

import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import anymail
from anymail.exceptions import AnymailNotSupportedWarning
from django.core.mail import get_connection
from pytest_httpserver import HTTPServer

from deliveries.channels.registry import channels
from deliveries.providers.base import Account
from deliveries.providers.kinds.anymail import AnymailProvider
from deliveries.providers.registry import provider_kinds
from tenants.models import Tenant
from tests.docs.pages import ROOT, blocks, page, rows_under

SCRIPT = """
import sys, django
django.setup()
from deliveries.services.providers import put_provider
from tests.journeys import drain
from workflows.services.definitions import ensure_definition
from workflows.services.start import NewRun, start_runs
from workflows.services.turn import work_turn
from tenants.models import Tenant

tenant = Tenant(pk=int(sys.argv[1]))
put_provider(tenant_id=tenant.pk, key="gate", kind="gateway", config={"url": sys.argv[2]}, credentials={"token": "t"})
step = {"key": "page", "kind": "deliver", "channel": "pager", "template": "alarm"}
document = {"key": "paging", "templates": {"alarm": {"text": "Fire in {{ data.where }}"}}, "steps": [step]}
ensure_definition(tenant_id=tenant.pk, document=document)
new = NewRun(subject="ada", data={"pager": "7", "where": "B"})
start_runs(tenant_id=tenant.pk, definition_key="paging", runs=[new])
drain(tenant); work_turn(tenant_id=tenant.pk); drain(tenant)
"""


def test_a_channel_is_one_file(tenant: Tenant, httpserver: HTTPServer, tmp_path: Path) -> None:
    (file,) = (block.text for block in blocks(page("channels.md"), "python"))
    (tmp_path / "pager.py").write_text(file)
    httpserver.expect_request("/pages").respond_with_json({"id": "p-1"})
    names = {
        "CHANNEL_MODULES": "pager",
        "PYTHONPATH": f"{tmp_path}:{ROOT}",
        "OUTBOUND_ALLOWED_NETWORKS": "127.0.0.1/32",
    }

    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tenant.pk), httpserver.url_for("/pages")],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "chimeway_py.settings", **names},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    ((request, _),) = httpserver.log
    assert request.get_json() == {"to": "7", "text": "Fire in B"}
    assert request.headers["Idempotency-Key"].endswith(":page:1")


def test_every_channel_and_kind_is_on_the_page() -> None:
    told = {row[0].strip("`"): row[2] for row in rows_under(page("channels.md"), "Channels and providers")}

    assert set(told) == set(channels())
    for name, kind in provider_kinds().items():
        assert f"`{name}`" in told[kind.channel]


def test_every_key_of_a_kind_is_on_the_page() -> None:
    rows: dict[str, Any] = {row[0].strip("`"): row for row in rows_under(page("channels.md"), "Store a provider")}

    assert set(rows) == set(provider_kinds())
    for name, kind in provider_kinds().items():
        missing = [key for key in (*kind.config, *kind.credentials) if f"`{key}`" not in " ".join(rows[name])]
        assert missing == [], name


def test_the_page_names_the_senders_that_nobody_tests() -> None:
    """Of the version that is installed: when that changes, so must the page."""
    said = page("channels.md").read_text()
    spoken = {name: kind for name, kind in provider_kinds().items() if isinstance(kind, AnymailProvider)}
    credentials = {"api_key": "k", "server_token": "k"}
    mine = Account(1, "id", "a", {"from": "a@example.com", "domain": "example.com"}, credentials)

    unsupported = set()
    for name, kind in spoken.items():
        own = replace(mine, credentials={key: value for key, value in credentials.items() if key in kind.credentials})
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            get_connection(f"anymail.backends.{kind.backend}.EmailBackend", **kind.options(own))
        unsupported |= {name} if any(one.category is AnymailNotSupportedWarning for one in told) else set()

    assert unsupported == {"sendgrid"}
    assert f"the version that we use ({'.'.join(anymail.VERSION)})" in said
    assert "**SendGrid is no longer supported by django-anymail**" in said
    assert all(f"`{name}`" in said for name in spoken)
