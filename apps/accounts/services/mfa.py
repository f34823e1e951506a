"""Two-step sign-in by an authenticator app (TOTP, RFC 6238) and recovery codes, in allauth's tables.

allauth remembers used codes in the cache; here the last used time step is in the row, under a lock: a code works once,
also when two requests bring it at the same moment or the cache is down.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa import app_settings
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from allauth.mfa.utils import decrypt
from django.conf import settings
from django.db import transaction

from apps.accounts.errors import EmailNotVerified, KeyRefused, MfaAlreadyActive, MfaNotActive
from apps.accounts.models import User
from apps.accounts.selectors import is_email_verified
from apps.accounts.services.attempts import count_code
from apps.accounts.services.notices import send_notice
from apps.audit.services import Target, record_act
from apps.common.actors import Actor
from apps.common.errors import FieldError, InvalidInput
from apps.secrets.errors import SealBroken
from apps.secrets.services import Each, open_value, seal_value

_FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
_LAST_STEP = "last_step"
#: Which of an authenticator's data are sealed: an app's secret, the seed of recovery codes.
_SEALED = frozenset({"secret", "seed"})


@dataclass(frozen=True, slots=True)
class TotpSetup:
    """An authenticator app that is being set up: what it shows is typed back with ``setup``."""

    secret: str
    otpauth_uri: str
    setup: str


def is_mfa_active(user: User) -> bool:
    """Whether signing in asks this person for a second factor."""
    return bool(Authenticator.objects.filter(user_id=user.pk, type__in=_FACTORS).exists())


def accept_code(*, user: User, code: str, now: datetime) -> Authenticator | None:
    """The authenticator that this code (of the app, or a recovery code) belongs to; it is spent with this.

    None for a wrong code, and for one that was used before. Raises TooManyAttempts.
    """
    count_code(user_id=user.pk)
    with transaction.atomic():
        kinds = [Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES]
        found = Authenticator.objects.select_for_update().filter(user_id=user.pk, type__in=kinds).order_by("pk")
        for authenticator in found:
            if authenticator.type == Authenticator.Type.TOTP:
                accepted = _spend_totp(authenticator, code, now)
            else:
                accepted = RecoveryCodes(authenticator).validate_code(code)
            if accepted:
                authenticator.user = user
                authenticator.refresh_from_db(fields=["data"])
                return authenticator
    return None


def _spend_totp(authenticator: Authenticator, code: str, now: datetime) -> bool:
    secret = decrypt(authenticator.data["secret"])
    step = _matching_step(secret, code, now)
    if step is None or step <= authenticator.data.get(_LAST_STEP, -1):
        return False
    authenticator.data[_LAST_STEP] = step
    authenticator.save(update_fields=["data"])
    return True


def _matching_step(secret: str, code: str, now: datetime) -> int | None:
    """The time step whose code this is, within the tolerance for clocks that differ (RFC 6238, section 5.2)."""
    present = int(now.timestamp()) // app_settings.TOTP_PERIOD
    tolerance = app_settings.TOTP_TOLERANCE
    for step in range(present + tolerance, present - tolerance - 1, -1):
        if compare_user_code(actual=code, expected=totp.format_hotp_value(totp.hotp_value(secret, step))):
            return step
    return None


def begin_totp(*, user: User, now: datetime) -> TotpSetup:
    """A new secret for an authenticator app, kept nowhere until a code proves that the app has it.

    Raises MfaAlreadyActive; EmailNotVerified, since a stranger's address could be locked against its owner.
    """
    if Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP).exists():
        raise MfaAlreadyActive
    if not is_email_verified(user):
        raise EmailNotVerified
    secret = totp.generate_totp_secret()
    content = json.dumps({"secret": secret, "until": (now + settings.MFA_SETUP_LIFETIME).timestamp()}).encode()
    setup = seal_value(content, model="accounts.User", key=str(user.pk), field="totp_setup")
    return TotpSetup(secret, get_adapter().build_totp_url(user, secret), setup)


def activate_totp(*, user: User, setup: str, code: str, actor: Actor, now: datetime) -> list[str]:
    """Turn two-step sign-in on; returns the recovery codes, which are shown this once.

    Raises KeyRefused (a setup that isn't this person's, or too old), InvalidInput at ``/code``, MfaAlreadyActive,
    TooManyAttempts.
    """
    secret = _open_setup(user, setup, now)
    count_code(user_id=user.pk)
    step = _matching_step(secret, code, now)
    if step is None:
        raise InvalidInput.at("/code", "mfa_invalid", "This is not the app's present code. Check the device's clock.")
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        if Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP).exists():
            raise MfaAlreadyActive
        with sealing_for(user):
            made = totp.TOTP.activate(user, secret).instance
        made.data[_LAST_STEP] = step
        made.save(update_fields=["data"])
        codes = _new_recovery_codes(user)
        record_act(actor=actor, action="auth.mfa_activated", target=_target(user), now=now)
        send_notice(kind="mfa/email/totp_activated", user=user, actor=actor, now=now)
    return codes


def deactivate_totp(*, user: User, actor: Actor, now: datetime) -> None:
    """Turn two-step sign-in off; recovery codes go with it. Raises MfaNotActive."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        deleted, _ = Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP).delete()
        if not deleted:
            raise MfaNotActive
        if not is_mfa_active(user):
            Authenticator.objects.filter(user_id=user.pk).delete()
        record_act(actor=actor, action="auth.mfa_deactivated", target=_target(user), now=now)
        send_notice(kind="mfa/email/totp_deactivated", user=user, actor=actor, now=now)


def renew_recovery_codes(*, user: User, actor: Actor, now: datetime) -> list[str]:
    """New recovery codes; the old ones stop working. Raises MfaNotActive."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        if not is_mfa_active(user):
            raise MfaNotActive
        codes = _new_recovery_codes(user)
        record_act(actor=actor, action="auth.recovery_codes_renewed", target=_target(user), now=now)
        send_notice(kind="mfa/email/recovery_codes_generated", user=user, actor=actor, now=now)
    return codes


def _new_recovery_codes(user: User) -> list[str]:
    Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.RECOVERY_CODES).delete()
    with sealing_for(user):
        codes: list[str] = RecoveryCodes.activate(user).get_unused_codes()
    return codes


def _open_setup(user: User, setup: str, now: datetime) -> str:
    stale = KeyRefused(
        "This set-up is not valid any more. Begin again.",
        errors=[FieldError("/setup", "key_invalid", "Begin the set-up again; this one is not valid any more.")],
    )
    try:
        content = json.loads(open_value(setup, model="accounts.User", key=str(user.pk), field="totp_setup"))
    except SealBroken as error:
        raise stale from error
    if content["until"] < now.timestamp():
        raise stale
    return str(content["secret"])


def _target(user: User) -> Target:
    return Target("user", str(user.pk), user.email)


#: Whom allauth's ``encrypt`` hook seals for, which is told nothing but the text.
_owner: ContextVar[object] = ContextVar("mfa_owner", default=None)


@contextmanager
def sealing_for(user: User) -> Iterator[None]:
    """Whatever allauth seals inside belongs to this person."""
    token = _owner.set(user.pk)
    try:
        yield
    finally:
        _owner.reset(token)


def seal_secret(text: str, *, signed_in: object = None) -> str:
    """A secret of allauth's tables, sealed for one person: ``<person's id>:<envelope>``.

    For whom: the person of ``sealing_for``, else the one who is ``signed_in`` (allauth's own pages). Raises SealBroken
    when there is neither: a secret that is bound to nobody is not stored.
    """
    owner = _owner.get() or signed_in
    if owner is None:
        raise SealBroken("Nobody is known whom this secret would belong to.")
    return f"{owner}:{seal_value(text.encode(), model='mfa.Authenticator', key=str(owner), field='data')}"


def open_sealed(stored: str) -> str:
    """What ``seal_secret`` was given. Whose it is stands before it; ``check_owner`` holds that against the row."""
    user_id, _, envelope = stored.partition(":")
    return open_value(envelope, model="mfa.Authenticator", key=user_id, field="data").decode()


def visit_sealed(data: dict[str, Any], authenticator_id: str, each: Each) -> dict[str, Any]:
    """For rotations: an authenticator's ``data`` with every envelope in it given to ``each``."""
    visited = dict(data)
    for name in _SEALED.intersection(data):
        owner, _, envelope = data[name].partition(":")
        visited[name] = f"{owner}:{each(envelope, model='mfa.Authenticator', key=owner, field='data')}"
    return visited


def check_owner(authenticator: Authenticator) -> None:
    """Raise SealBroken for a row that holds what was sealed for somebody else."""
    for name in _SEALED:
        stored = authenticator.data.get(name) if isinstance(authenticator.data, dict) else None
        if stored is not None and stored.partition(":")[0] != str(authenticator.user_id):
            raise SealBroken("This authenticator's secret was sealed for somebody else.")
