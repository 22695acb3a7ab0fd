"""The search at the end of a session finds what it is there for."""

import base64
import logging

import pytest
import redis

from tenants.models import Tenant
from tenants.services import create_api_key
from tests.leaks import CANARY, Listener, leaks, shown_in
from tests.plugin import Servers


@pytest.mark.parametrize("before", ["", "x", "xy"])
def test_what_is_shown_is_found_however_it_is_written(before: str) -> None:
    text = f"{before}{CANARY} and more".encode()

    for written in (text, text.hex().encode(), base64.b64encode(text), b'{"said": "' + text + b'"}'):
        assert list(shown_in(written)) != [], written
    assert list(shown_in(b"whsec_ and cw_ are how secrets begin; a canary is a bird")) == []


def test_stores_are_searched(tenant: Tenant, servers: Servers) -> None:
    token = create_api_key(tenant_id=tenant.pk, name="shown", scopes=["runs:read"]).token
    file, before = servers.folder / "logs-of-a-leak", set(leaks(servers))
    name = "UPDATE tenants_tenant SET name = %s WHERE id = %s"
    with servers.postgres.connect() as owner, redis.Redis.from_url(servers.broker.url) as client:
        try:
            owner.execute(name, [token, tenant.pk])
            owner.commit()
            client.set("leak", CANARY)
            file.write_text(token)
            found = set(leaks(servers)) - before
        finally:
            owner.execute(name, ["", tenant.pk])
            owner.commit()
            client.delete("leak")
            file.unlink()

    assert {one.partition(":")[0] for one in found} == {
        "table public.tenants_tenant",
        "broker b'leak'",
        f"file {file.name}",
    }


def test_what_is_logged_here_is_heard() -> None:
    listener, logger = Listener(), logging.getLogger("of.a.test")
    logger.propagate = False  # the session listens, too
    logger.addHandler(listener)

    logger.warning("they said %s", CANARY)

    assert [CANARY in one for one in listener.shown] == [True]
