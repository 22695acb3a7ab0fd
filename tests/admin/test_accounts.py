"""Accounts are a matter of superusers: the list shows the people of every tenant."""

from collections.abc import Callable

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from tests.admin.conftest import Furnished

ACCOUNTS = reverse("admin:auth_user_changelist")


@pytest.mark.parametrize(("superuser", "status"), [(True, 200), (False, 403)])
def test_only_superusers_see_accounts(operator: Callable[..., Client], mine: Furnished, superuser: bool, status: int):
    client = operator(mine.tenant, superuser=superuser)
    user = get_user_model().objects.get(username=client.username)  # type: ignore[attr-defined]
    user.user_permissions.set(Permission.objects.filter(codename__endswith="_user"))

    assert client.get(ACCOUNTS).status_code == status
    assert client.get(reverse("admin:auth_user_change", args=[user.pk])).status_code == status


def test_accounts_are_not_deleted(operator: Callable[..., Client], mine: Furnished):
    client = operator(mine.tenant, superuser=True)
    user = get_user_model().objects.get(username=client.username)  # type: ignore[attr-defined]

    assert client.post(reverse("admin:auth_user_delete", args=[user.pk]), {"post": "yes"}).status_code == 403


def test_an_account_that_is_switched_off_sees_nothing(operator: Callable[..., Client], mine: Furnished):
    client = operator(mine.tenant)
    get_user_model().objects.filter(username=client.username).update(is_active=False)  # type: ignore[attr-defined]

    assert client.get(reverse("admin:index")).status_code == 302
