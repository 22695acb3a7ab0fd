"""The page on which operators set up, renew and remove their own second factor."""

from collections.abc import Callable
from typing import Any

import segno
from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import mark_safe

from chimeway_py.addresses import address_of
from chimeway_py.errors import ChimewayError
from tenants.second_factor.factors import (
    begin_factor,
    confirm_factor,
    factor_of,
    is_required,
    pending_secret,
    remove_factor,
    renew_recovery_codes,
    secret_uri,
    unused_recovery_codes,
)
from tenants.second_factor.record import note
from tenants.second_factor.sign_in import PROVED, SignInForm

admin.site.login_form, admin.site.login_template = SignInForm, "admin/sign_in.html"


class CodeForm(forms.Form):
    """A code of now."""

    code = forms.CharField(max_length=32, widget=forms.TextInput(attrs={"autocomplete": "one-time-code"}))


def second_factor_view(request: HttpRequest) -> HttpResponse:
    """What the operator has, and the next thing to do about it. Secrets are shown while they are set up, then never."""
    asked = {"begin": _begin, "confirm": _confirm, "renew": _renew, "remove": _remove}
    act: Callable[[HttpRequest, CodeForm], HttpResponse | None] | None = asked.get(request.POST.get("action", ""))
    form = CodeForm(request.POST if act not in (None, _begin) else None)
    if request.method == "POST" and act is not None and (act is _begin or form.is_valid()):
        try:
            answer = act(request, form)
        except ChimewayError as error:
            form.add_error("code", error.message)
        else:
            return answer or HttpResponseRedirect(reverse("admin:second_factor"))
    return _page(request, form)


def _begin(request: HttpRequest, form: CodeForm) -> None:
    begin_factor(user_id=_user_id(request))


def _confirm(request: HttpRequest, form: CodeForm) -> HttpResponse:
    codes = confirm_factor(user_id=_user_id(request), code=form.cleaned_data["code"])
    factor = factor_of(_user_id(request))
    assert factor is not None
    _note(request, "second factor set up")
    request.session.cycle_key()
    request.session[PROVED] = factor.pk  # other sessions of the account have to show it
    return _page(request, CodeForm(), codes)


def _renew(request: HttpRequest, form: CodeForm) -> HttpResponse:
    codes = renew_recovery_codes(user_id=_user_id(request), code=form.cleaned_data["code"])
    _note(request, "new recovery codes")
    return _page(request, CodeForm(), codes)


def _remove(request: HttpRequest, form: CodeForm) -> None:
    remove_factor(user_id=_user_id(request), code=form.cleaned_data["code"])
    _note(request, "second factor removed")
    messages.success(request, "Your second factor is removed.")


def _page(request: HttpRequest, form: CodeForm, codes: list[str] | None = None) -> TemplateResponse:
    factor = factor_of(_user_id(request))
    secret = "" if factor else pending_secret(_user_id(request))
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Second factor",
        "factor": factor,
        "left": unused_recovery_codes(factor) if factor else 0,
        "required": is_required(is_superuser=bool(request.user.is_superuser)),
        "secret": secret,
        "picture": _picture(secret_uri(secret, request.user.get_username())) if secret else "",
        "codes": codes,
        "form": form,
    }
    return TemplateResponse(request, "admin/second_factor.html", context)


def _picture(text: str) -> str:
    """A QR code as a drawing in the page: it is nowhere to be fetched from."""
    drawn = segno.make(text, error="m").svg_inline(scale=5, dark="#000", light="#fff")
    return mark_safe(drawn)  # noqa: S308  made here, of modules and numbers


def _note(request: HttpRequest, what: str) -> None:
    note(account=request.user, by=request.user, what=f"{what}, from {address_of(request)}")


def _user_id(request: HttpRequest) -> int:
    return int(request.user.pk or 0)
