"""Where allauth's flows meet the platform's rules: the same for its pages, its headless API and ours."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.userkit import user_field
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.internal.httpkit import is_headless_request
from allauth.headless.base.response import RateLimitResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.shortcuts import render
from django.utils import timezone

from apps.accounts.errors import TooManyAttempts
from apps.accounts.models import User
from apps.accounts.services.addresses import normalise_email
from apps.accounts.services.attempts import count_mail_sent, count_registration, count_sign_in
from apps.accounts.services.mfa import open_sealed, seal_secret
from apps.accounts.services.notices import absolute, send_message
from apps.accounts.services.passwords import check_new_password
from apps.accounts.services.registration import normalise_name
from apps.accounts.services.sign_in import record_failed_sign_in
from apps.common.api.addresses import caller_address
from apps.common.api.views import actor_of
from apps.common.errors import InvalidInput

log = structlog.get_logger(__name__)

#: Messages that anyone can have sent to any address; the others tell people of changes, and always leave.
_SENT_ON_REQUEST = frozenset(
    {
        "account/email/account_already_exists",
        "account/email/email_confirmation",
        "account/email/email_confirmation_signup",
        "account/email/password_reset_key",
        "account/email/unknown_account",
    }
)
#: What a session is listed under when nobody knows where it came from (a socket instead of an address).
_UNKNOWN_ADDRESS = "0.0.0.0"  # noqa: S104 - a value, not a binding


class AccountAdapter(DefaultAccountAdapter):
    """Sign-in limits and their trail, addresses, passwords, mail."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": "The e-mail address and the password don't belong together.",
        "email_taken": "Somebody with this e-mail address is registered already.",
        "enter_current_password": "This is not your present password.",
        "incorrect_password": "This is not your password.",
        "too_many_login_attempts": "Too many attempts. Wait a minute, then try again.",
        "rate_limited": "Too many attempts. Wait a minute, then try again.",
    }

    def pre_authenticate(self, request: Any, **credentials: Any) -> None:
        try:
            count_sign_in(email=credentials.get("email", ""), address=caller_address(request))
        except TooManyAttempts as error:
            raise self.validation_error("too_many_login_attempts") from error

    def authentication_failed(self, request: Any, **credentials: Any) -> None:
        record_failed_sign_in(
            email=credentials.get("email", ""),
            user=None,
            reason="password",
            actor=actor_of(request),
            now=timezone.now(),
        )

    def is_open_for_signup(self, request: Any) -> bool:
        if request.method == "POST":
            try:
                count_registration(address=caller_address(request))
            except TooManyAttempts as error:
                raise ImmediateHttpResponse(self._too_many(request, error)) from error
        return True

    def _too_many(self, request: Any, error: TooManyAttempts) -> Any:
        if is_headless_request(request):
            response = RateLimitResponse(request)
        else:
            response = render(request, "account/too_many.html", status=HTTPStatus.TOO_MANY_REQUESTS)
        response["Retry-After"] = str(max(1, round(error.retry_after)))
        return response

    def clean_email(self, email: str) -> str:
        try:
            return normalise_email(email)
        except InvalidInput as error:
            raise _as_validation(error) from error

    def clean_password(self, password: str, user: Any = None) -> str:
        try:
            check_new_password(password, user=user or User())
        except InvalidInput as error:
            raise _as_validation(error) from error
        return password

    def save_user(self, request: Any, user: Any, form: Any, commit: bool = True) -> Any:
        user_field(user, "name", normalise_name(form.cleaned_data.get("name", "")))
        return super().save_user(request, user, form, commit)

    def confirm_email(self, request: Any, email_address: Any) -> bool:
        """Not when somebody registered with the address since the link was sent."""
        if User.objects.filter(email=email_address.email).exclude(pk=email_address.user_id).exists():
            told = {"email": email_address.email}
            self.add_message(request, messages.ERROR, "account/messages/email_confirmation_failed.txt", told)
            return False
        return bool(super().confirm_email(request, email_address))

    def get_client_ip(self, request: Any) -> str:
        return caller_address(request) or _UNKNOWN_ADDRESS

    def get_email_confirmation_url(self, request: Any, emailconfirmation: Any) -> str:
        return absolute("account_confirm_email", key=emailconfirmation.key)

    def get_reset_password_from_key_url(self, key: str) -> str:
        uid, _, token = key.partition("-")
        return absolute("account_reset_password_from_key", uidb36=uid, key=token)

    def send_password_reset_mail(self, user: Any, email: str, context: dict[str, Any]) -> None:
        super().send_password_reset_mail(user, email, {**context, "key": f"{context['uid']}-{context['key']}"})

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """allauth's mail goes the way of ours: queued with the change, sent by a worker, limited per recipient, and,
        where anyone can have it sent, per sender: what is too much is left out, as silently as the answer is the same.
        """
        if template_prefix in _SENT_ON_REQUEST and not self._may_send(template_prefix):
            return
        now = timezone.now()
        known = {name: value for name, value in context.items() if name not in {"request", "current_site"}}
        known.setdefault("at", context.get("timestamp", now))
        known.setdefault("address", context.get("ip", ""))
        send_message(kind=template_prefix, to=email, context=known, now=now)

    def _may_send(self, template_prefix: str) -> bool:
        try:
            count_mail_sent(address=caller_address(context.request))
        except TooManyAttempts:
            log.warning("mail_held_back", kind=template_prefix)
            return False
        return True


class MfaAdapter(DefaultMFAAdapter):
    """Authenticator secrets and the seed of recovery codes are sealed for their person."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "This code is not valid now. Each works once; check the device's clock.",
        "unverified_email": "Verify your e-mail address before you turn two-step sign-in on.",
    }

    def encrypt(self, text: str) -> str:
        request = context.request
        user = getattr(request, "user", None)
        return seal_secret(text, signed_in=user.pk if user is not None and user.is_authenticated else None)

    def decrypt(self, encrypted_text: str) -> str:
        return open_sealed(encrypted_text)


def _as_validation(error: InvalidInput) -> ValidationError:
    return ValidationError([ValidationError(fault.detail, code=fault.code) for fault in error.errors])
