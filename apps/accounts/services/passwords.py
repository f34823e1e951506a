"""Passwords: chosen, changed, forgotten."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from allauth.account.forms import default_token_generator
from allauth.account.utils import url_str_to_user_pk, user_pk_to_url_str
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from apps.accounts.errors import KeyRefused, PasswordRefused
from apps.accounts.models import User
from apps.accounts.selectors import find_user, is_email_verified
from apps.accounts.services.addresses import forget_pending_addresses
from apps.accounts.services.attempts import count_mail_request, count_sign_in
from apps.accounts.services.notices import absolute, send_message, send_notice
from apps.accounts.services.sessions import end_sessions, keep_session
from apps.accounts.signals import unproved_account_reset
from apps.audit.services import Target, record_act
from apps.common.actors import Actor
from apps.common.errors import FieldError, InvalidInput

#: Longer ones only cost time to hash.
PASSWORD_MAX_LENGTH = 1024


def check_new_password(password: str, *, user: User, pointer: str = "/password") -> None:
    """Raise InvalidInput at ``pointer`` with everything that is wrong with a new password."""
    if len(password) > PASSWORD_MAX_LENGTH or "\x00" in password:
        raise InvalidInput.at(pointer, "password_too_long", f"A password has at most {PASSWORD_MAX_LENGTH} characters.")
    try:
        validate_password(password, user)
    except ValidationError as error:
        faults = [
            FieldError(pointer, str(fault.code or "password_weak"), " ".join(fault.messages))
            for fault in error.error_list
        ]
        raise InvalidInput(errors=faults) from error


def confirm_password(*, user: User, password: str, actor: Actor, now: datetime) -> None:
    """Make sure that it is the person who asks, before something sensitive.

    Raises PasswordRefused; TooManyAttempts, since this would be a way to guess.
    """
    count_sign_in(email=user.email, address=actor.address)
    if not user.check_password(password):
        record_act(actor=actor, action="auth.confirmation_failed", target=_target(user), now=now)
        raise PasswordRefused


def change_password(
    *, user: User, current: str, new: str, session_key: str | None, actor: Actor, now: datetime
) -> None:
    """A new password for somebody who knows the old one; they are signed out everywhere but in ``session_key``.

    Raises PasswordRefused, TooManyAttempts, InvalidInput at ``/new_password``.
    """
    confirm_password(user=user, password=current, actor=actor, now=now)
    check_new_password(new, user=user, pointer="/new_password")
    with transaction.atomic():
        _set(user, new)
        end_sessions(user=user, except_key=session_key)
        if session_key:
            keep_session(session_key=session_key, user=user)
        record_act(actor=actor, action="auth.password_changed", target=_target(user), now=now)
        send_notice(kind="account/email/password_changed", user=user, actor=actor, now=now)


def request_password_reset(*, email: str, actor: Actor, now: datetime) -> None:
    """Send the message with the link for a new password; to an address that nobody has, the message which says so.

    The answer, and the work for it, are the same for both. Raises TooManyAttempts.
    """
    count_mail_request(address=actor.address)
    email = email.strip().lower()
    user = find_user(email=email)
    if user is None:
        send_message(kind="account/email/unknown_account", to=email, context={}, now=now)
        return
    send_message(kind="account/email/password_reset_key", to=user.email, context=reset_context(user), now=now)


def reset_context(user: User, token: str | None = None) -> dict[str, Any]:
    """What a reset message tells: the key for the API, and the page that takes it."""
    token = token or default_token_generator.make_token(user)
    uid = user_pk_to_url_str(user)
    url = absolute("account_reset_password_from_key", uidb36=uid, key=token)
    return {"user": user, "key": f"{uid}-{token}", "password_reset_url": url}


def reset_password(*, key: str, password: str, actor: Actor, now: datetime) -> User:
    """A new password by the key of a reset message; the person is signed out everywhere (``end_access``).

    Raises KeyRefused (a key works once, for three days), InvalidInput at ``/password``.
    """
    user = _user_of_key(key)
    check_new_password(password, user=user)
    with transaction.atomic():
        locked = User.objects.select_for_update().get(pk=user.pk)
        if locked.password != user.password:
            raise _refused()
        _set(user, password)
        end_access(user=user, actor=actor, now=now)
        record_act(actor=actor, action="auth.password_reset", target=_target(user), now=now)
        send_notice(kind="account/email/password_reset", user=user, actor=actor, now=now)
    return user


def end_access(*, user: User, actor: Actor, now: datetime) -> None:
    """After a reset: end every session and, unless the address was proved before, all else that lets in whoever
    registered with it, who may have been somebody else.
    """
    end_sessions(user=user)
    if not is_email_verified(user):
        unproved_account_reset.send(sender=User, user=user, actor=actor, now=now)


def _user_of_key(key: str) -> User:
    uid, _, token = key.partition("-")
    try:
        user = User.objects.filter(pk=url_str_to_user_pk(uid), is_active=True).first()
    except (ValidationError, ValueError) as error:
        raise _refused() from error
    if user is None or not default_token_generator.check_token(user, token):
        raise _refused()
    return user


def _refused() -> KeyRefused:
    return KeyRefused(errors=[FieldError("/key", "key_invalid", KeyRefused.detail)])


def _set(user: User, password: str) -> None:
    user.set_password(password)
    user.save(update_fields=["password", "updated_at"])
    forget_pending_addresses(user=user)


def _target(user: User) -> Target:
    return Target("user", str(user.pk), user.email)
