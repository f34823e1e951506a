"""The account's own page, and where allauth's headless API needs our forms."""

from __future__ import annotations

from typing import Any

from allauth.headless.constants import Client
from allauth.headless.internal.restkit import inputs
from allauth.headless.mfa.views import AuthenticateView, ReauthenticateView
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.accounts.forms import AuthenticateForm, ReauthenticateForm
from apps.accounts.selectors import user_profile


@require_safe
@never_cache
@login_required
def account_home(request: HttpRequest) -> HttpResponse:
    """Who is signed in, and the way to everything that they can change about it."""
    person: Any = request.user
    return render(request, "account/home.html", {"profile": user_profile(person)})


class AuthenticateInput(AuthenticateForm, inputs.Input):
    """allauth's input, with codes that are spent in the row."""


class ReauthenticateInput(ReauthenticateForm, inputs.Input):
    """allauth's input, with codes that are spent in the row."""


class HeadlessAuthenticateView(AuthenticateView):
    input_class = AuthenticateInput


class HeadlessReauthenticateView(ReauthenticateView):
    input_class = ReauthenticateInput


def headless_view(view: Any, client: str) -> Any:
    """A view of allauth's headless API for one of its two kinds of client."""
    return view.as_api_view(client=Client(client))
