"""Signing in at the admin: guesses are locked out, a second factor is asked for, recovery codes are good once."""

import getpass
import json
import re
import time
import uuid
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from tenants.models import RecoveryCode, SecondFactor
from tenants.second_factor import factors
from tenants.second_factor.sign_in import sign_ins
from tests.admin.conftest import Furnished

LOGIN = "/admin/login/"
PAGE = "/admin/auth/user/second-factor/"
PASSWORD = "correct horse battery"


@pytest.fixture
def account(settings: Any) -> Any:
    """A fresh superuser with a password, which is quick to check here."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return get_user_model().objects.create_superuser(f"op-{uuid.uuid4().hex[:12]}", password=PASSWORD)


def sign_in(account: Any, password: str = PASSWORD, code: str = "", *, address: str = "192.0.2.1") -> Any:
    said = {"username": account.get_username(), "password": password, "code": code, "next": "/admin/"}
    return Client().post(LOGIN, said, REMOTE_ADDR=address)


def signed_in(account: Any) -> Client:
    client = Client()
    client.force_login(account)
    return client


def code_of(secret: str, later: int = 0) -> str:
    """What an app shows now, or some half minutes later."""
    key = factors.base64.b32decode(secret)
    return factors.code_at(key, int(time.time()) // 30 + later)


def enrolled(client: Client) -> tuple[str, list[str]]:
    """The secret and the recovery codes of an account that has just set up its second factor."""
    client.post(PAGE, {"action": "begin"})
    secret = re.search(r"<code>([A-Z2-7]{32})</code>", client.get(PAGE).content.decode())[1]  # type: ignore[index]
    shown = client.post(PAGE, {"action": "confirm", "code": code_of(secret)}).content.decode()
    return secret, re.findall(r"\b(?:[a-z2-7]{4}-){3}[a-z2-7]{4}\b", shown)


def test_guesses_are_locked_out_with_the_right_password_too(account: Any) -> None:
    assert [sign_in(account, f"guess {n}").status_code for n in range(5)] == [200] * 4 + [429]

    locked = sign_in(account)

    assert (locked.status_code, locked["Retry-After"]) == (429, "900")
    assert "Too many failed sign-ins" in locked.content.decode()
    assert sign_in(account, address="192.0.2.9").status_code == 302, "a stranger shuts nobody out from elsewhere"
    forged = Client().post(
        LOGIN,
        {"username": account.get_username(), "password": PASSWORD},
        REMOTE_ADDR="192.0.2.1",
        HTTP_X_FORWARDED_FOR="192.0.2.77",
    )
    assert forged.status_code == 429, "a header that anybody can write changes nothing"
    out = StringIO()
    call_command("operator", "unlock", account.get_username(), stdout=out)
    assert json.loads(out.getvalue())["failed_sign_ins"] == 0
    assert sign_in(account).status_code == 302


def test_many_names_from_one_address_are_braked(account: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(30):
        sign_ins.failed("192.0.2.1", 30)

    braked = sign_in(account)

    assert "Too many failed sign-ins" in braked.content.decode()
    assert sign_in(account, address="192.0.2.2").status_code == 302


def test_an_account_with_a_second_factor_shows_it(account: Any) -> None:
    client, other_session = signed_in(account), signed_in(account)
    secret, codes = enrolled(client)

    assert len(set(codes)) == 10
    assert client.get("/admin/").status_code == 200
    assert other_session.get("/admin/").status_code == 302, "a session of before has to show it too"
    assert "Enter a code" in sign_in(account).content.decode()
    assert "not good" in sign_in(account, code="000000").content.decode()
    assert "not good" in sign_in(account, code=code_of(secret)).content.decode(), "it confirmed the set-up already"
    assert sign_in(account, code=code_of(secret, 1)).status_code == 302
    assert sign_in(account, code=codes[0].upper()).status_code == 302
    assert "not good" in sign_in(account, code=codes[0]).content.decode()


def test_a_code_is_good_once_at_the_same_moment(account: Any, together: Callable[..., list[Any]]) -> None:
    secret, codes = enrolled(signed_in(account))

    for code in (code_of(secret, 1), codes[3]):
        assert together(*[lambda: factors.is_proved(user_id=account.pk, code=code)] * 4).count(True) == 1  # noqa: B023


def test_wrong_codes_are_locked_out_like_wrong_passwords(account: Any) -> None:
    _, codes = enrolled(signed_in(account))

    answers = [sign_in(account, code=f"{n:06}").status_code for n in range(5)]

    assert answers[-1] == 429
    assert sign_in(account, code=codes[0]).status_code == 429


def test_neither_key_nor_codes_are_readable_in_the_database(account: Any) -> None:
    secret, codes = enrolled(signed_in(account))

    factor = SecondFactor.objects.get(user_id=account.pk)
    kept = bytes(factor.wrapped) + b"".join(
        bytes(one) for one in RecoveryCode.objects.filter(factor=factor).values_list("digest", flat=True)
    )
    assert factors.base64.b32decode(secret) not in kept
    assert not any(code.replace("-", "").encode() in kept for code in codes)


def test_it_is_renewed_and_removed_by_whoever_shows_a_code(account: Any) -> None:
    client = signed_in(account)
    _, codes = enrolled(client)

    refused = client.post(PAGE, {"action": "remove", "code": "123456"}).content.decode()
    assert "not valid" in refused
    renewed = client.post(PAGE, {"action": "renew", "code": codes[0]}).content.decode()
    assert not any(code in renewed for code in codes)
    fresh = re.findall(r"\b(?:[a-z2-7]{4}-){3}[a-z2-7]{4}\b", renewed)
    client.post(PAGE, {"action": "remove", "code": codes[1]})
    assert factors.factor_of(account.pk) is not None, "the codes of before are void"
    client.post(PAGE, {"action": "remove", "code": fresh[0]})
    assert factors.factor_of(account.pk) is None
    assert sign_in(account).status_code == 302


@pytest.mark.parametrize(
    ("rule", "superuser", "led"),
    [("superusers", True, True), ("superusers", False, False), ("everybody", False, True), ("optional", True, False)],
)
def test_it_can_be_required(
    operator: Callable[..., Client], settings: Any, rule: str, superuser: bool, led: bool
) -> None:
    settings.OPERATOR_SECOND_FACTOR = rule
    client = operator(superuser=superuser)

    answer = client.get(reverse("admin:index"))

    assert answer.headers.get("Location") == (PAGE if led else None)
    if led:
        assert client.get(PAGE).status_code == 200
        enrolled(client)
        assert client.get(reverse("admin:index")).status_code == 200


def test_whoever_lost_everything_is_helped_on_the_command_line(account: Any) -> None:
    enrolled(signed_in(account))
    out = StringIO()

    call_command("operator", "second-factor-off", account.get_username(), stdout=out)

    assert json.loads(out.getvalue())["second_factor"] is False
    history = LogEntry.objects.filter(object_id=str(account.pk)).order_by("id").values_list("change_message", flat=True)
    assert list(history) == [
        "second factor set up, from 127.0.0.1",
        f"second factor removed, on the command line by {getpass.getuser()}",
    ]
    assert sign_in(account).status_code == 302


def test_a_new_master_key_wraps_second_factors_too(account: Any, settings: Any) -> None:
    secret, _ = enrolled(signed_in(account))
    former = settings.PAYLOAD_KEYS
    settings.PAYLOAD_KEYS = [b"n" * 32, *former]

    assert factors.rewrap_factors() >= 1

    settings.PAYLOAD_KEYS = [b"n" * 32]
    proved = factors.is_proved(user_id=account.pk, code=code_of(secret, 1))
    settings.PAYLOAD_KEYS = [*former, b"n" * 32]
    factors.rewrap_factors()
    assert proved


def test_a_change_of_ones_own_password_is_told_in_the_history(account: Any) -> None:
    client, page = signed_in(account), reverse("admin:password_change")
    new = "a staple of another battery"
    asked = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}

    wrong = client.post(page, {**asked, "old_password": "guessed"})
    told_before = LogEntry.objects.filter(object_id=str(account.pk)).count()
    done = client.post(page, asked, REMOTE_ADDR="192.0.2.7")

    assert (wrong.status_code, told_before) == (200, 0)
    assert (done.status_code, done.headers["Location"]) == (302, reverse("admin:password_change_done"))
    (told,) = LogEntry.objects.filter(object_id=str(account.pk))
    assert (told.user_id, told.change_message) == (account.pk, "own password changed, from 192.0.2.7")
    assert client.get("/admin/").status_code == 200  # and the session goes on
    assert sign_in(account, new).status_code == 302
    shown = client.get(reverse("admin:auth_user_history", args=[account.pk])).content.decode()
    assert "own password changed" in shown


def test_pages_of_signing_in_keep_the_content_policy(account: Any, mine: Furnished) -> None:
    client = signed_in(account)
    client.post(PAGE, {"action": "begin"})

    for page in (client.get(PAGE), Client().get(LOGIN)):
        assert page.headers["Content-Security-Policy"].startswith("default-src 'self';")
        text = page.content.decode()
        assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=|javascript:|data:", text), page
