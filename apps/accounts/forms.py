"""The sign-in pages' forms: allauth's, with the platform's fields, words and rules."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import LoginForm as StockLoginForm
from allauth.account.forms import ResetPasswordForm as StockResetPasswordForm
from allauth.account.forms import SignupForm as StockSignupForm
from allauth.core import context
from allauth.mfa import signals
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm as StockAuthenticateForm
from allauth.mfa.base.forms import ReauthenticateForm as StockReauthenticateForm
from allauth.mfa.models import Authenticator
from django import forms
from django.utils import timezone

from apps.accounts.errors import TooManyAttempts
from apps.accounts.services.attempts import count_mail_request
from apps.accounts.services.mfa import accept_code
from apps.accounts.services.registration import normalise_name
from apps.common.api.addresses import caller_address
from apps.common.errors import InvalidInput


class SignupForm(StockSignupForm):
    """Address, password, and how to call the person."""

    name = forms.CharField(
        label="Your name",
        required=False,
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    field_order = ["name", "email", "password1"]

    def clean_name(self) -> str:
        try:
            return normalise_name(self.cleaned_data["name"])
        except InvalidInput as error:
            raise forms.ValidationError([fault.detail for fault in error.errors]) from error


class LoginForm(StockLoginForm):
    """Address and password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["remember"].label = "Keep me signed in on this device"
        self.fields["password"].help_text = ""
        self.fields["password"].max_length = 1024


class ResetPasswordForm(StockResetPasswordForm):
    """Asks for the link to a new password."""

    def clean(self) -> dict[str, Any]:
        try:
            count_mail_request(address=caller_address(context.request))
        except TooManyAttempts as error:
            raise forms.ValidationError(error.detail, code=error.code) from error
        cleaned: dict[str, Any] = super().clean()
        return cleaned


class _CodeForm:
    """A code is accepted once, by the row, whether or not the cache is there."""

    user: Any
    cleaned_data: dict[str, Any]
    reauthentication = False

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        try:
            accepted = accept_code(user=self.user, code=code, now=timezone.now())
        except TooManyAttempts as error:
            raise forms.ValidationError(error.detail, code=error.code) from error
        if accepted is None:
            signals.authentication_failed.send(
                sender=Authenticator,
                request=context.request,
                user=self.user,
                authenticator=None,
                reauthentication=self.reauthentication,
            )
            raise get_adapter().validation_error("incorrect_code")
        self.authenticator = accepted
        return code


class AuthenticateForm(_CodeForm, StockAuthenticateForm):
    """The second factor while signing in."""


class ReauthenticateForm(_CodeForm, StockReauthenticateForm):
    """The second factor before something sensitive."""

    reauthentication = True
