"""Signing in: name and password, and a code where the account has a second factor. Failures lock out."""

from typing import Any

import structlog
from django import forms
from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import UsernameField
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from chimeway_py.addresses import address_of
from chimeway_py.failures import Brake
from tenants.second_factor.factors import factor_of, is_proved

PROVED = "second_factor"  # in a session: the factor that was shown
FROM_ONE_ADDRESS = 30  # failures a minute, whatever the names: each password that is tried costs us 50 ms
LONGEST_PASSWORD = 4096
_PASSWORD = forms.PasswordInput(attrs={"autocomplete": "current-password"})
sign_ins = Brake()


class SignInForm(AdminAuthenticationForm):
    """Asks for a code too. Whether an account needs one is told only to whoever knows its password."""

    # Bounded before anything is looked up or counted: what counts failures keeps the name, 255 characters of it.
    username = UsernameField(max_length=150, widget=forms.TextInput(attrs={"autofocus": True}))
    password = forms.CharField(max_length=LONGEST_PASSWORD, strip=False, widget=_PASSWORD)
    code = forms.CharField(
        required=False,
        max_length=32,
        label="Code",
        help_text="If you have set up a second factor.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "text"}),
    )

    def clean(self) -> dict[str, Any]:
        """The account, if all it needs was shown."""
        request: Any = self.request
        if sign_ins.seconds_to_wait(address_of(request), "", FROM_ONE_ADDRESS):
            raise ValidationError("Too many failed sign-ins from your address. Wait a minute.", code="too_many")
        said: dict[str, Any] = super().clean()
        user: Any = self.get_user()  # None when the password was wrong
        factor = factor_of(user.pk) if user is not None else None
        if user is None or factor is None:
            return said
        if not said.get("code"):
            raise ValidationError("Enter a code of your authenticator app, or a recovery code.", code="code_needed")
        if not is_proved(user_id=user.pk, code=said["code"]):
            name = {"username": user.get_username()}
            user_login_failed.send(sender=__name__, credentials=name, request=request)
            raise ValidationError("This code is not good, or was used already.", code="wrong_code")
        request.second_factor = factor.pk
        return said


def locked_out(request: HttpRequest, credentials: Any) -> HttpResponse:
    """The answer to a name from an address that has failed too often."""
    minutes = settings.SIGN_IN_LOCK_MINUTES
    answer = render(request, "admin/locked_out.html", {"minutes": minutes, "title": "Locked out"}, status=429)
    answer["Retry-After"] = str(minutes * 60)
    return answer


def note_success(sender: Any, request: HttpRequest, user: Any, **_: Any) -> None:
    """Keep in the session which factor was shown."""
    proved = getattr(request, "second_factor", None)
    if proved is not None:
        request.session[PROVED] = proved
    structlog.get_logger(__name__).info("signed_in", account=user.pk, second_factor=proved is not None)


def note_failure(sender: Any, request: HttpRequest | None = None, **_: Any) -> None:
    """Count it for the address, and say so: the name may be a password that was typed in the wrong place."""
    if request is not None:
        sign_ins.failed(address_of(request), FROM_ONE_ADDRESS)
        structlog.get_logger(__name__).warning("sign_in_failed", address=address_of(request))


def watch_sign_ins() -> None:
    """Hear of every sign-in of this process."""
    user_logged_in.connect(note_success, dispatch_uid="chimeway signed in")
    user_login_failed.connect(note_failure, dispatch_uid="chimeway sign-in failed")
