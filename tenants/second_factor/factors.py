"""Set up, prove and remove the second factor of an account. Keys are wrapped by the master key, codes are digests."""

import base64
import hashlib
import hmac
import secrets
import time
from typing import NoReturn
from urllib.parse import quote

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from chimeway_py.errors import Conflict, Invalid, fault
from tenants.models import RecoveryCode, SecondFactor
from tenants.vault.master import first_master, unwrap, wrap

STEP = 30  # seconds
CLOCK_SKEW = 1  # steps that an app's clock may be behind or ahead
RECOVERY_CODES = 10


class FactorExists(Conflict):
    """The account has a second factor already; remove it first."""

    code = "second_factor_exists"


def factor_of(user_id: int) -> SecondFactor | None:
    """The second factor that an account must show, or None."""
    return SecondFactor.objects.filter(user_id=user_id, confirmed_at__isnull=False).first()


def is_required(*, is_superuser: bool) -> bool:
    """Whether such an account may do nothing without a second factor."""
    return settings.OPERATOR_SECOND_FACTOR == "everybody" or (
        settings.OPERATOR_SECOND_FACTOR == "superusers" and is_superuser
    )


def begin_factor(*, user_id: int) -> None:
    """A fresh key, which counts for nothing until a code of it is shown. Raises `FactorExists`."""
    with transaction.atomic():
        if factor_of(user_id) is not None:
            raise FactorExists
        master, wrapped = wrap(_label(user_id), secrets.token_bytes(20))
        given = {"master": master, "wrapped": wrapped, "last_step": -1}
        SecondFactor.objects.update_or_create(user_id=user_id, defaults=given)


def pending_secret(user_id: int) -> str:
    """What is to be typed into an app, in base32; empty when nothing was begun."""
    factor = SecondFactor.objects.filter(user_id=user_id, confirmed_at__isnull=True).first()
    return base64.b32encode(_key(factor)).decode() if factor else ""


def secret_uri(secret: str, username: str) -> str:
    """What a QR code for an app says."""
    label = quote(f"chimeway:{username}")
    return f"otpauth://totp/{label}?secret={secret}&issuer=chimeway&digits=6&period={STEP}"


def confirm_factor(*, user_id: int, code: str) -> list[str]:
    """Let the pending factor count from now on; recovery codes to show once. Raises `Invalid` for a wrong code."""
    with transaction.atomic():
        factor = SecondFactor.objects.select_for_update().filter(user_id=user_id, confirmed_at__isnull=True).first()
        if factor is None or not _is_code_of_app(factor, code):
            _refuse()
        SecondFactor.objects.filter(pk=factor.pk).update(confirmed_at=timezone.now())
        return _fresh_codes(factor)


def is_proved(*, user_id: int, code: str) -> bool:
    """Whether the code is good now. Each code is good once, whoever shows it at the same moment."""
    factor = factor_of(user_id)
    if factor is None:
        return False
    return _is_code_of_app(factor, code) or _is_recovery_code(factor, code)


def renew_recovery_codes(*, user_id: int, code: str) -> list[str]:
    """New recovery codes; those of before are void. Raises `Invalid` for a wrong code."""
    with transaction.atomic():
        factor = SecondFactor.objects.select_for_update().filter(user_id=user_id).first()
        if factor is None or not is_proved(user_id=user_id, code=code):
            _refuse()
        return _fresh_codes(factor)


def remove_factor(*, user_id: int, code: str | None = None) -> bool:
    """Forget the factor of an account; True if there was one. Its owner shows a code, an administrator needs none.

    Raises `Invalid` for a wrong code.
    """
    if code is not None and not is_proved(user_id=user_id, code=code):
        _refuse()
    return bool(SecondFactor.objects.filter(user_id=user_id).delete()[0])


def unused_recovery_codes(factor: SecondFactor) -> int:
    """How many recovery codes are left."""
    return factor.recovery_codes.filter(used_at__isnull=True).count()


def rewrap_factors() -> int:
    """Wrap the keys of all factors by the first master key; how many were not. Raises `CannotOpen`."""
    with transaction.atomic():
        rows = list(SecondFactor.objects.select_for_update().exclude(master=first_master()))
        for row in rows:
            row.master, row.wrapped = wrap(_label(row.user_id), _key(row))
        SecondFactor.objects.bulk_update(rows, ["master", "wrapped"])
        return len(rows)


def code_at(key: bytes, step: int) -> str:
    """The six digits of one half minute (RFC 6238 with SHA-1, which is what every app can)."""
    return HOTP(key, 6, SHA1(), enforce_key_length=False).generate(step).decode()  # noqa: S303


def _is_code_of_app(factor: SecondFactor, code: str) -> bool:
    given, now, key = code.replace(" ", "").encode(), int(time.time()) // STEP, _key(factor)
    near = range(now - CLOCK_SKEW, now + CLOCK_SKEW + 1)
    met = [step for step in near if hmac.compare_digest(code_at(key, step).encode(), given)]
    # Taken by one statement: of two who show the same code at the same moment, one finds it used.
    return bool(met) and bool(
        SecondFactor.objects.filter(pk=factor.pk, last_step__lt=met[-1]).update(last_step=met[-1])
    )


def _is_recovery_code(factor: SecondFactor, code: str) -> bool:
    unused = RecoveryCode.objects.filter(factor=factor, digest=_digest(code), used_at__isnull=True)
    return bool(unused.update(used_at=timezone.now()))


def _fresh_codes(factor: SecondFactor) -> list[str]:
    codes = [_in_groups(_letters()) for _ in range(RECOVERY_CODES)]
    factor.recovery_codes.all().delete()
    RecoveryCode.objects.bulk_create(RecoveryCode(factor=factor, digest=_digest(code)) for code in codes)
    return codes


def _letters() -> str:
    return base64.b32encode(secrets.token_bytes(10)).decode().lower()


def _in_groups(letters: str) -> str:
    return "-".join(letters[at : at + 4] for at in range(0, len(letters), 4))


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.replace("-", "").replace(" ", "").lower().encode()).digest()


def _key(factor: SecondFactor) -> bytes:
    return unwrap(_label(factor.user_id), factor.master, bytes(factor.wrapped))


def _label(user_id: int) -> bytes:
    return f"second factor {user_id}".encode()


def _refuse() -> NoReturn:
    raise Invalid("The code is not valid.", [fault("/code", "wrong_code", "Not a code of now, or used already.")])
