"""Signing in by address, password and, where it is set up, a second factor.

The flow is allauth's (its stages, its records, its signals), run in-process with a session of its own, so that the API,
the pages and allauth's headless API agree on what being signed in is. ``request`` is what that flow hangs on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from allauth.account.stages import LoginStageController
from allauth.headless.constants import Client
from allauth.headless.internal.authkit import purge_request_user_cache
from allauth.headless.internal.decorators import mark_request_as_headless
from allauth.mfa.base.internal.flows import post_authentication
from allauth.mfa.stages import AuthenticateStage
from django.conf import settings
from django.contrib.auth import authenticate

from apps.accounts.errors import AccountInactive, CredentialsRefused, MfaInvalid, MfaRequired
from apps.accounts.models import User
from apps.accounts.selectors import fold_email
from apps.accounts.services.attempts import count_sign_in
from apps.accounts.services.mfa import accept_code, is_mfa_active
from apps.accounts.services.sessions import end_family
from apps.accounts.services.tokens import TokenPair, issue_tokens
from apps.audit.services import Target, record_act
from apps.common.actors import Actor, ActorKind
from apps.common.sessions import SessionStore


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person with a new session, and its first tokens."""

    user: User
    tokens: TokenPair


def sign_in(*, request: Any, email: str, password: str, code: str, actor: Actor, now: datetime) -> SignedIn:
    """Open a session for whoever this address, password and (where set up) code belong to.

    Raises TooManyAttempts, CredentialsRefused, AccountInactive, MfaRequired, MfaInvalid. The password is checked first:
    who doesn't have it learns nothing of the account.
    """
    email = fold_email(email)
    count_sign_in(email=email, address=actor.address)
    user = _check_password(request=request, email=email, password=password, actor=actor, now=now)
    authenticator = None
    if is_mfa_active(user):
        if not code:
            raise MfaRequired
        authenticator = accept_code(user=user, code=code, now=now)
        if authenticator is None:
            record_failed_sign_in(email=email, user=user, reason="code", actor=actor, now=now)
            raise MfaInvalid
    with fresh_session(request) as session:
        session.set_expiry(int(settings.REFRESH_TOKEN_LIFETIME.total_seconds()))
        login = Login(user=user, email=user.email)
        perform_password_login(request, {"email": user.email}, login)
        if authenticator is not None:
            stage = LoginStageController.enter(request, AuthenticateStage.key)
            assert stage is not None, "allauth asks for a second factor when one is set up"
            post_authentication(request, authenticator)
            stage.exit()
        assert request.user.pk == user.pk, "every stage of the sign-in was passed"
        session.save()
        tokens = issue_tokens(user=user, session_key=session.session_key, now=now)
    return SignedIn(user, tokens)


def _check_password(*, request: Any, email: str, password: str, actor: Actor, now: datetime) -> User:
    AuthenticationBackend.unstash_authenticated_user()
    user = authenticate(request, email=email, password=password)
    inactive = AuthenticationBackend.unstash_authenticated_user()
    if isinstance(user, User):
        return user
    record_failed_sign_in(
        email=email, user=inactive, reason="inactive" if inactive else "password", actor=actor, now=now
    )
    raise AccountInactive if inactive else CredentialsRefused


def record_failed_sign_in(*, email: str, user: Any, reason: str, actor: Actor, now: datetime) -> None:
    """Write a failed sign-in into the platform's trail: for which address, from where, and what was wrong."""
    record_act(
        actor=replace(actor, kind=ActorKind.VISITOR, id=None, user_id=None, name=""),
        action="auth.sign_in_failed",
        target=Target("user", str(user.pk) if user else "", email[:254]),
        changes={"reason": reason},
        now=now,
    )


def sign_out(*, session_key: str, user: User, actor: Actor, now: datetime) -> None:
    """End a session and its tokens."""
    end_family(session_keys=[session_key])
    record_act(actor=actor, action="auth.signed_out", target=Target("user", str(user.pk), user.email), now=now)


@contextmanager
def fresh_session(request: Any) -> Iterator[Any]:
    """Run allauth's flows for an API client: a new session, no cookie, no page, and nothing left on the request."""
    user, session = request.user, request.session
    request.session = SessionStore()
    try:
        mark_request_as_headless(request, Client.APP)
        purge_request_user_cache(request)
        request.allauth.headless._pre_user = request.user
        yield request.session
    finally:
        request.user, request.session = user, session
        del request.allauth.headless
        # Signing in rotates the CSRF token; this caller has no cookies.
        request.META["CSRF_COOKIE_NEEDS_UPDATE"] = False
