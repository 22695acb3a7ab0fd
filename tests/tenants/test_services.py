"""Tenants, keys and memberships through their services."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model

from chimeway_py.errors import Invalid, NotFound
from tenants.models import Tenant
from tenants.models.api_key import Scope
from tenants.scope import tenant_scope
from tenants.services import (
    Caller,
    add_membership,
    create_api_key,
    create_tenant,
    find_caller,
    find_tenant,
    remove_membership,
    revoke_api_key,
    rotate_api_key,
    tenants_of_user,
)
from tenants.services.api_keys import KeyNotLive
from tenants.services.tenants import TenantExists


def test_a_tenant_is_found_by_its_slug(tenant: Tenant) -> None:
    assert find_tenant(tenant.slug) == tenant
    assert find_tenant("nobody-has-this") is None


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"slug": ""}, "/slug"),
        ({"slug": "Upper"}, "/slug"),
        ({"slug": "two--hyphens"}, "/slug"),
        ({"slug": "newline\n"}, "/slug"),
        ({"slug": "a" * 64}, "/slug"),
        ({"slug": "аdmin"}, "/slug"),  # a Cyrillic а
        ({"slug": "fine", "name": "x" * 201}, "/name"),
        ({"slug": "fine", "name": "\0"}, "/name"),
        ({"slug": "fine", "time_zone": "Mars/Olympus"}, "/time_zone"),
    ],
)
def test_a_tenant_that_is_not_valid_is_refused_by_path(given: dict[str, str], path: str) -> None:
    with pytest.raises(Invalid) as refused:
        create_tenant(**given)

    assert [found["path"] for found in refused.value.detail] == [path]


def test_a_slug_is_taken_once(tenant: Tenant) -> None:
    with pytest.raises(TenantExists):
        create_tenant(slug=tenant.slug)


def test_a_key_opens_its_tenant_and_nothing_else(tenant: Tenant) -> None:
    issued = create_api_key(tenant_id=tenant.pk, name="ci", scopes=[Scope.RUNS_READ])

    caller = find_caller(issued.token)

    assert isinstance(caller, Caller)
    assert (caller.tenant_id, caller.scopes) == (tenant.pk, {"runs:read"})
    assert issued.token not in repr(issued)
    assert issued.token.encode() not in bytes(issued.row.secret_digest)


def test_near_misses_open_nothing(tenant: Tenant) -> None:
    token = create_api_key(tenant_id=tenant.pk, name="ci", scopes=[]).token
    _, prefix, secret = token.split("_", 2)

    for wrong in [
        "",
        "cw_",
        token[:-1],
        token + "A",
        token + "\n",
        token.upper(),
        f"cw_{prefix}_{'A' * 43}",
        f"cw_{'a' * 12}_{secret}",
        f"cw_{prefix}_é{secret[1:]}",
        f"cw_{prefix}'--_{secret}",
    ]:
        assert find_caller(wrong) == "unknown", wrong


def test_a_revoked_key_opens_nothing_from_the_next_look_on(tenant: Tenant) -> None:
    issued = create_api_key(tenant_id=tenant.pk, name="ci", scopes=[])

    first = revoke_api_key(tenant_id=tenant.pk, public_id=issued.row.public_id)
    again = revoke_api_key(tenant_id=tenant.pk, public_id=issued.row.public_id)

    assert find_caller(issued.token) == "revoked"
    assert first.revoked_at == again.revoked_at


def test_a_key_expires(tenant: Tenant) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    issued = create_api_key(tenant_id=tenant.pk, name="ci", scopes=[], expires_at=past)

    assert find_caller(issued.token) == "expired"


def test_rotation_leaves_two_live_keys_for_the_overlap(tenant: Tenant) -> None:
    old = create_api_key(tenant_id=tenant.pk, name="ci", scopes=[Scope.RUNS_READ])

    new = rotate_api_key(tenant_id=tenant.pk, public_id=old.row.public_id, overlap=timedelta(hours=1))

    assert isinstance(find_caller(old.token), Caller)
    assert isinstance(find_caller(new.token), Caller)
    assert new.row.scopes == [Scope.RUNS_READ]
    with pytest.raises(KeyNotLive):  # it has a successor: a third live key would not be a rotation
        rotate_api_key(tenant_id=tenant.pk, public_id=old.row.public_id, overlap=timedelta(0))


def test_rotation_without_overlap_ends_the_old_key_now(tenant: Tenant) -> None:
    old = create_api_key(tenant_id=tenant.pk, name="ci", scopes=[])

    new = rotate_api_key(tenant_id=tenant.pk, public_id=old.row.public_id, overlap=timedelta(0))

    assert find_caller(old.token) == "expired"
    assert isinstance(find_caller(new.token), Caller)


def test_a_key_of_another_tenant_cannot_be_rotated_or_revoked(tenant: Tenant, other_tenant: Tenant) -> None:
    issued = create_api_key(tenant_id=tenant.pk, name="ci", scopes=[])

    with pytest.raises(NotFound):
        rotate_api_key(tenant_id=other_tenant.pk, public_id=issued.row.public_id, overlap=timedelta(0))
    with pytest.raises(NotFound):
        revoke_api_key(tenant_id=other_tenant.pk, public_id=issued.row.public_id)

    assert isinstance(find_caller(issued.token), Caller)


def test_an_unknown_scope_is_refused(tenant: Tenant) -> None:
    with pytest.raises(Invalid) as refused:
        create_api_key(tenant_id=tenant.pk, name="", scopes=["everything"])

    assert [found["path"] for found in refused.value.detail] == ["/scopes", "/name"]


def test_a_suspended_tenant_opens_nothing(tenant: Tenant) -> None:
    issued = create_api_key(tenant_id=tenant.pk, name="ci", scopes=[])
    with tenant_scope(tenant.pk) as scope:
        Tenant.objects.filter(id=tenant.pk).update(suspended_at=scope.now)

    assert find_caller(issued.token) == "suspended"


def test_memberships_say_which_tenants_an_operator_sees(tenant: Tenant, other_tenant: Tenant) -> None:
    user = get_user_model().objects.create(username=f"op-{uuid.uuid4().hex[:12]}")

    for _ in range(2):  # adding it again changes nothing
        add_membership(tenant_id=tenant.pk, user_id=user.pk)
    add_membership(tenant_id=other_tenant.pk, user_id=user.pk)
    removed = remove_membership(tenant_id=other_tenant.pk, user_id=user.pk)

    assert removed
    assert tenants_of_user(user.pk) == [tenant.pk]
