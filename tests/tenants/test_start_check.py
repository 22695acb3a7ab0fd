"""No process of the service runs as a role that could walk past row-level security."""

import os
import subprocess
import sys
import urllib.parse
import uuid

import pytest

from tests.plugin import Servers

COMMAND = [sys.executable, "manage.py", "tenant", "show", "nobody"]


@pytest.mark.parametrize(
    ("role", "complaint"), [("postgres", "bypasses row-level security"), ("chimeway_owner", "owns tables")]
)
def test_a_role_that_could_bypass_is_refused_at_the_first_connection(
    servers: Servers, role: str, complaint: str
) -> None:
    env = {**os.environ, "DATABASE_URL": servers.postgres.url(role)}

    refused = subprocess.run(COMMAND, env=env, capture_output=True, text=True, check=False)

    assert refused.returncode != 0
    assert "ImproperlyConfigured" in refused.stderr
    assert complaint in refused.stderr


@pytest.mark.parametrize(
    ("group", "complaint"), [("chimeway_owner", "member of their owner"), ("postgres", "bypasses row-level security")]
)
def test_a_member_of_such_a_role_is_refused_too(servers: Servers, group: str, complaint: str) -> None:
    name = f"member_{uuid.uuid4().hex[:8]}"
    with servers.postgres.connect() as superuser:
        superuser.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x' IN ROLE {group}")
    url = urllib.parse.urlsplit(servers.postgres.url("chimeway_app"))
    mine = url._replace(netloc=f"{name}:x@{url.netloc.rpartition('@')[2]}").geturl()

    refused = subprocess.run(
        COMMAND, env={**os.environ, "DATABASE_URL": mine}, capture_output=True, text=True, check=False
    )

    assert complaint in refused.stderr


def test_the_role_of_the_service_is_not(servers: Servers) -> None:
    answered = subprocess.run(COMMAND, capture_output=True, text=True, check=False)

    assert "ImproperlyConfigured" not in answered.stderr
