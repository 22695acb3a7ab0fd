"""The search at the end of a session finds what it is there for."""

import base64
import json
import logging
import os

import pytest
import redis

from tenants.admin.paging import page_of
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tenants.services import create_api_key
from tests.journeys import waiting_run
from tests.leaks import CANARY, OURS, Listener, showing, shown_in, stores
from tests.plugin import Servers
from tests.shown import answers_of_rest, fullest, pages_of_admin
from workflows.models import Run


@pytest.mark.parametrize("before", ["", "x", "xy"])
def test_what_is_shown_is_found_however_it_is_written(before: str) -> None:
    text = f"{before}{CANARY} and more".encode()

    for written in (text, text.hex().encode(), base64.b64encode(text), b'{"said": "' + text + b'"}'):
        assert list(shown_in(written)) != [], written
    assert list(shown_in(b"whsec_ and cw_ are how secrets begin; a canary is a bird")) == []


def test_what_this_session_runs_on_is_looked_for(servers: Servers) -> None:
    """Keys of the settings, and the passwords of the database, the broker and the mail server, however they stand."""
    named = ("SECRET_KEY", "PAYLOAD_KEYS", "HEAD_KEYS")
    kept = [servers.postgres.memory.password(role) for role in ("chimeway_app", "chimeway_owner")]
    kept += [servers.broker.memory.password("broker"), servers.mailbox.memory.password("mail")]

    for secret in [*(os.environ[name] for name in named), *kept]:
        sent = base64.b64encode(f"\0name\0{secret}".encode())
        for written in (f"redis://:{secret}@127.0.0.1".encode(), secret.encode().hex().encode(), sent):
            assert list(shown_in(written)) != [], written
    assert list(shown_in(base64.b64decode(os.environ["PAYLOAD_KEYS"]))) != []


def test_stores_are_searched(tenant: Tenant, servers: Servers) -> None:
    token = create_api_key(tenant_id=tenant.pk, name="shown", scopes=["runs:read"]).token
    file, before = servers.folder / "logs-of-a-leak", set(showing(stores(servers)))
    name = "UPDATE tenants_tenant SET name = %s WHERE id = %s"
    with servers.postgres.connect() as owner, redis.Redis.from_url(servers.broker.url) as client:
        try:
            owner.execute(name, [token, tenant.pk])
            owner.commit()
            client.set("leak", json.dumps({"body": {"key": token, "keys": [token, token]}}))
            client.rpush("leaks", *(json.dumps({"number": number, "body": {"said": CANARY}}) for number in range(9)))
            file.write_text(token)
            found = set(showing(stores(servers))) - before
        finally:
            owner.execute(name, ["", tenant.pk])
            owner.commit()
            client.delete("leak", "leaks")
            file.unlink()

    assert {one.partition(":")[0] for one in found} == {
        "table public.tenants_tenant",
        "broker b'leak'",
        "broker b'leaks'",
        f"file {file.name}",
    }


def test_pages_and_answers_of_the_fullest_tenants_are_searched(tenant: Tenant, servers: Servers) -> None:
    """Of a session in which a payload has come into rows that everybody shows."""
    waiting_run(tenant)
    tenants = [tenant, *fullest(servers)]
    whole = [dict(pages_of_admin(tenants)), dict(answers_of_rest(tenants))]
    with servers.postgres.connect() as owner:
        try:
            owner.execute("UPDATE workflows_run SET subject = %s WHERE tenant_id = %s", [CANARY, tenant.pk])
            owner.commit()
            found = {one.partition(": ")[0] for one in showing([*pages_of_admin([tenant]), *answers_of_rest([tenant])])}
        finally:
            owner.execute("UPDATE workflows_run SET subject = 'anna' WHERE tenant_id = %s", [tenant.pk])

    with tenant_scope(tenant.pk):
        run = Run.objects.get(tenant_id=tenant.pk)
    assert list(showing([*whole[0].items(), *whole[1].items()])) == []
    assert {f"page {page_of(run)}", "page /admin/workflows/run/", "answer /v1/runs"} <= found
    assert "answer /v1/runs/{public_id}/explain" in whole[1]


def test_what_is_logged_here_is_heard() -> None:
    listener, logger = Listener(), logging.getLogger("of.a.test")
    logger.propagate = False  # the session listens, too
    logger.addHandler(listener)

    logger.warning("they said %s", CANARY)

    assert [CANARY in one for one in listener.shown] == [True]
    assert all(logging.getLogger(f"{name}.any").isEnabledFor(logging.DEBUG) for name in OURS)
    assert [one.level for one in logging.getLogger().handlers if isinstance(one, Listener)] == [logging.NOTSET]
