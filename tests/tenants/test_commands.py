"""`manage.py tenant` and `manage.py api_key`."""

import io
import json
import uuid
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from tenants.models import Tenant
from tenants.services import Caller, find_caller, find_tenant, tenants_of_user


def run(*words: str) -> list[dict[str, Any]]:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_tenant_is_created_shown_and_given_to_an_operator() -> None:
    slug = f"t-{uuid.uuid4().hex[:12]}"
    user = get_user_model().objects.create(username=f"op-{slug}")

    (made,) = run("tenant", "create", slug, "--time-zone", "Europe/Paris")
    run("tenant", "member", slug, user.username)

    assert run("tenant", "show", slug) == [made]
    tenant = find_tenant(slug)
    assert tenant is not None
    assert tenants_of_user(user.pk) == [tenant.pk]
    run("tenant", "member", slug, user.username, "--remove")
    assert tenants_of_user(user.pk) == []


def test_a_key_is_issued_listed_rotated_and_revoked(tenant: Tenant) -> None:
    (issued,) = run("api_key", "create", tenant.slug, "ci", "--scopes", "all", "--days", "3")
    (rotated,) = run("api_key", "rotate", "--tenant", tenant.slug, issued["id"], "--overlap-hours", "1")
    run("api_key", "revoke", issued["id"], "--tenant", tenant.slug)

    listed = run("api_key", "list", "--tenant", tenant.slug)

    assert listed == run("api_key", "list", tenant.slug), "the slug alone was always enough"
    assert [line["id"] for line in listed] == [issued["id"], rotated["id"]]
    assert all("key" not in line for line in listed)
    assert find_caller(issued["key"]) == "revoked"
    assert isinstance(find_caller(rotated["key"]), Caller)


@pytest.mark.parametrize(
    "words",
    [
        ("tenant", "create", "No Slug"),
        ("tenant", "show", "nobody-has-this"),
        ("api_key", "list", "nobody-has-this"),
        ("api_key", "list", "--tenant", "nobody-has-this"),
        ("api_key", "list"),
        ("api_key", "list", "one", "--tenant", "two"),
        ("api_key", "revoke", "nobody-has-this", str(uuid.uuid4())),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run(*words)
