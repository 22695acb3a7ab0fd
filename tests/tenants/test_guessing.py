"""Keys that are guessed: an address is braked before anything is looked up; nobody else notices."""

from types import SimpleNamespace
from typing import Any

import pytest
from rest_framework.test import APIClient

from chimeway_py import failures
from chimeway_py.addresses import address_of
from chimeway_py.failures import Brake
from tenants.api import authentication
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tenants.services import create_api_key, revoke_api_key

HERE, THERE = "192.0.2.1", "198.51.100.7"


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every key that was looked up."""
    asked: list[str] = []
    find = authentication.find_caller
    monkeypatch.setattr(authentication, "find_caller", lambda token: asked.append(token) or find(token))
    return asked


def get(token: str, address: str = HERE, **headers: Any) -> Any:
    client = APIClient(raise_request_exception=False)
    return client.get("/v1/tenant", headers={"Authorization": f"Bearer {token}"}, REMOTE_ADDR=address, **headers)


def guess(number: int, **given: Any) -> Any:
    return get(f"cw_{'a' * 12}_{number:043}", **given)


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time goes by for the brake, however long the machine takes."""
    monkeypatch.setattr(failures, "time", SimpleNamespace(monotonic=lambda: 1000.0))


@pytest.mark.usefixtures("still")
def test_guesses_are_refused_before_they_are_looked_up(tenant: Tenant, looked_up: list[str], settings: Any) -> None:
    settings.FAILED_KEYS_PER_MINUTE = 10
    good = create_api_key(tenant_id=tenant.pk, name="ci", scopes=[]).token
    fresh = create_api_key(tenant_id=tenant.pk, name="ci", scopes=[]).token
    assert get(good).status_code == 200

    answers = [guess(n, HTTP_X_FORWARDED_FOR=f"203.0.113.{n % 250}") for n in range(100)]

    assert [one.status_code for one in answers[:10]] == [401] * 10
    assert {one.status_code for one in answers[10:]} == {429}
    assert len(looked_up) <= 12
    assert answers[-1].json()["code"] == "too_many_failures"
    assert 1 <= int(answers[-1]["Retry-After"]) <= 6
    assert guess(1, address=THERE).status_code == 401, "another address is looked at"
    assert get(good).status_code == 200, "who was here before is let through"
    assert get(fresh).status_code == 429


@pytest.mark.usefixtures("still")
def test_a_good_key_hides_no_guesses(tenant: Tenant, looked_up: list[str], settings: Any) -> None:
    """Both headers at once: only one of them is looked up, and the other stays as it was when the key was good."""
    settings.FAILED_KEYS_PER_MINUTE = 10

    def get_with(key: str) -> int:
        headers = {"Authorization": "Other thing", "X-Api-Key": key}
        return int(APIClient().get("/v1/tenant", headers=headers, REMOTE_ADDR=HERE).status_code)

    assert get_with(create_api_key(tenant_id=tenant.pk, name="ci", scopes=[]).token) == 200

    answers = [get_with(f"cw_{'a' * 12}_{n:043}") for n in range(20)]

    assert answers == [401] * 10 + [429] * 10
    assert len(looked_up) == 11


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize(("suspends", "told"), [(False, 401), (True, 403)])
def test_a_key_that_was_good_is_braked_like_a_guess_when_it_is_not_any_more(
    tenant: Tenant, other_tenant: Tenant, looked_up: list[str], settings: Any, suspends: bool, told: int
) -> None:
    settings.FAILED_KEYS_PER_MINUTE = 10
    issued = create_api_key(tenant_id=tenant.pk, name="ci", scopes=[])
    good = create_api_key(tenant_id=other_tenant.pk, name="ci", scopes=[]).token
    assert [get(issued.token).status_code, get(good).status_code] == [200, 200]

    if suspends:
        with tenant_scope(tenant.pk) as scope:
            Tenant.objects.filter(id=tenant.pk).update(suspended_at=scope.now)
    else:
        revoke_api_key(tenant_id=tenant.pk, public_id=issued.row.public_id)
    answers = [get(issued.token).status_code for _ in range(30)]

    assert answers == [told] * 10 + [429] * 20
    assert looked_up.count(issued.token) == 11
    assert get(good).status_code == 200, "another key behind the same address is let through"


def test_memory_is_bounded_and_time_heals(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(failures.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(failures, "REMEMBERED", 100)
    brake = Brake()

    for number in range(300):
        brake.failed(f"10.0.{number // 250}.{number % 250}", 3)
        brake.proved(str(number))
    assert brake.size() == (100, 100)

    for _ in range(1000):
        brake.failed(HERE, 3)
    assert brake.seconds_to_wait(HERE, "", 3) == pytest.approx(20)
    now[0] += 20
    assert brake.seconds_to_wait(HERE, "", 3) == pytest.approx(0)
    brake.failed(HERE, 3)
    assert brake.seconds_to_wait(HERE, "", 3) == pytest.approx(20)


@pytest.mark.parametrize(
    ("remote", "forwarded", "counted"),
    [
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),  # a stranger wrote the header
        ("10.0.0.5", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.5", "6.6.6.6, 198.51.100.7", "198.51.100.7"),  # the left one came with the request
        ("10.0.0.5", "198.51.100.7, 10.0.0.9", "198.51.100.7"),  # two proxies of ours
        ("10.0.0.5", "nonsense", "10.0.0.5"),
        ("10.0.0.5", "", "10.0.0.5"),
        ("2001:db8:1:2:3::1", "", "2001:db8:1:2::"),
        ("::ffff:192.0.2.1", "", "192.0.2.1"),
        ("", "198.51.100.7", ""),
    ],
)
def test_only_our_proxies_say_who_asks(rf: Any, settings: Any, remote: str, forwarded: str, counted: str) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]

    assert address_of(rf.get("/", REMOTE_ADDR=remote, HTTP_X_FORWARDED_FOR=forwarded)) == counted
