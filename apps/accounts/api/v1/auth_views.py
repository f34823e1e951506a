"""Signing in and out, and what goes by e-mail. Nobody need be known here, so no Idempotency-Key."""

from __future__ import annotations

from typing import Any

from rest_framework.response import Response

from apps.accounts.api.v1.person import PersonView
from apps.accounts.api.v1.serializers import (
    ChangePassword,
    ForgotPassword,
    Refresh,
    ResetPassword,
    SignedInOutput,
    SignIn,
    SignOut,
    TokensOutput,
    UserOutput,
    VerifyEmail,
)
from apps.accounts.errors import TokenRefused
from apps.accounts.selectors import user_profile
from apps.accounts.services.addresses import verify_email
from apps.accounts.services.passwords import change_password, request_password_reset, reset_password
from apps.accounts.services.sign_in import sign_in, sign_out
from apps.accounts.services.tokens import TokenCaller, find_family, rotate_tokens
from apps.common.api.permissions import OPEN, SIGNED_IN
from apps.common.api.views import ApiView


class _AnyoneView(ApiView):
    """Open to anyone: credentials in the body count, those in headers don't."""

    authentication_classes = ()
    required = {"post": OPEN}
    idempotent = False


class SignInView(_AnyoneView):
    """Sign in."""

    inputs = {"post": SignIn}
    outputs = {"post": SignedInOutput}

    def post(self, request: Any) -> Response:
        """Sign in by address and password; ``totp`` where two-step sign-in is active (401 ``mfa_required``)."""
        given = self.read()
        done = sign_in(
            request=request._request,
            email=given["email"],
            password=given["password"],
            code=given["totp"],
            actor=self.actor,
            now=self.now,
        )
        tokens = done.tokens
        return self.answer(
            {
                "access": tokens.access,
                "refresh": tokens.refresh,
                "expires_in": tokens.expires_in,
                "user": user_profile(done.user),
            }
        )


class RefreshView(_AnyoneView):
    """Exchange tokens."""

    inputs = {"post": Refresh}
    outputs = {"post": TokensOutput}

    def post(self, request: Any) -> Response:
        """Spend a refresh token for a new pair. One that was spent before ends the session (401)."""
        return self.answer(rotate_tokens(**self.read(), now=self.now, actor=self.actor))


class SignOutView(PersonView):
    """Sign out."""

    required = {"post": OPEN}
    inputs = {"post": SignOut}
    outputs = {"post": None}
    idempotent = False

    def post(self, request: Any) -> Response:
        """End the session of the access token, or of ``refresh`` when that one has run out; their tokens die too."""
        given = self.read()
        family = find_family(
            caller=request.auth if isinstance(request.auth, TokenCaller) else None,
            session_key=self.session_key if request.user.is_authenticated else None,
            refresh=given["refresh"],
        )
        if family is None:
            raise TokenRefused
        sign_out(session_key=family.session_key, user=family.user, actor=self.actor, now=self.now)
        return self.nothing()


class VerifyEmailView(_AnyoneView):
    """Prove an address."""

    inputs = {"post": VerifyEmail}
    outputs = {"post": UserOutput}

    def post(self, request: Any) -> Response:
        """Take the key of the verification message."""
        return self.answer(user_profile(verify_email(**self.read(), actor=self.actor, now=self.now)))


class ForgotPasswordView(_AnyoneView):
    """Ask for a new password."""

    inputs = {"post": ForgotPassword}
    outputs = {"post": None}

    def post(self, request: Any) -> Response:
        """Send the link for a new password. The answer is the same whether or not the address is known."""
        request_password_reset(**self.read(), actor=self.actor, now=self.now)
        return self.nothing()


class ResetPasswordView(_AnyoneView):
    """Choose a new password."""

    inputs = {"post": ResetPassword}
    outputs = {"post": None}

    def post(self, request: Any) -> Response:
        """A new password by the key of the message; the person is signed out everywhere."""
        reset_password(**self.read(), actor=self.actor, now=self.now)
        return self.nothing()


class ChangePasswordView(PersonView):
    """Change the password."""

    required = {"post": SIGNED_IN}
    inputs = {"post": ChangePassword}
    outputs = {"post": None}
    idempotent = False

    def post(self, request: Any) -> Response:
        """A new password by the present one; the person stays signed in here and is signed out elsewhere."""
        self.require_person_alone()
        given = self.read()
        change_password(
            user=self.person,
            current=given["current_password"],
            new=given["new_password"],
            session_key=self.session_key,
            actor=self.actor,
            now=self.now,
        )
        return self.nothing()
