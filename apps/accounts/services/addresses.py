"""The addresses of people, and the proof that they can read mail there."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from allauth.account import app_settings
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from apps.accounts.errors import EmailTaken, KeyRefused
from apps.accounts.models import User
from apps.accounts.selectors import fold_email, is_email_verified
from apps.accounts.services.notices import absolute, send_message
from apps.accounts.signals import email_verified as email_verified_signal
from apps.audit.services import Target, record_act
from apps.common.actors import Actor, ActorKind
from apps.common.errors import FieldError, InvalidInput
from apps.events.services import emit_event


def normalise_email(email: str) -> str:
    """An address as it is kept: lower case, the domain in ASCII (IDNA 2008, RFC 5891).

    Raises InvalidInput at ``/email`` for what is no address, and for providers of throw-away ones
    (``REFUSED_EMAIL_DOMAINS``), whose mail anyone can read.
    """
    email = fold_email(email)
    if not email.isprintable():
        raise InvalidInput.at("/email", "invalid_email", "This is not an e-mail address.")
    try:
        validate_email(email)
    except ValidationError as error:
        raise InvalidInput.at("/email", "invalid_email", "This is not an e-mail address.") from error
    if len(email) > 254:
        raise InvalidInput.at("/email", "invalid_email", "An e-mail address has at most 254 characters.")
    names = email.rpartition("@")[2].split(".")
    if any(".".join(names[index:]) in settings.REFUSED_EMAIL_DOMAINS for index in range(len(names))):
        raise InvalidInput.at(
            "/email", "disposable_email", "Use a mailbox of your own: anyone can read the mail of this provider."
        )
    return email


def send_verification(*, user: User, now: datetime, signup: bool = False, email: str | None = None) -> None:
    """The message with the link that proves an address: the person's own, or ``email``, which shall become it."""
    entry, _ = EmailAddress.objects.get_or_create(
        user=user, email=email or user.email, defaults={"primary": email in {None, user.email}}
    )
    if entry.verified:
        return
    key = EmailConfirmationHMAC.create(entry).key
    kind = "account/email/email_confirmation_signup" if signup else "account/email/email_confirmation"
    context = {"user": user, "key": key, "activate_url": absolute("account_confirm_email", key=key)}
    send_message(kind=kind, to=entry.email, context=context, now=now)


def verify_email(*, key: str, actor: Actor, now: datetime) -> User:
    """Take the key of a verification message: the address is proved, and becomes the person's when it is a new one.

    The same key may come again. Raises KeyRefused; EmailTaken when the address became somebody else's meanwhile.
    """
    refused = KeyRefused(errors=[FieldError("/key", "key_invalid", KeyRefused.detail)])
    try:
        lifetime = app_settings.EMAIL_CONFIRMATION_EXPIRE_DAYS * 86400
        address_id = signing.loads(key, max_age=lifetime, salt=app_settings.SALT)
        entry = EmailAddress.objects.select_related("user").get(pk=address_id, user__is_active=True)
    except (signing.BadSignature, EmailAddress.DoesNotExist, ValueError, TypeError) as error:
        raise refused from error
    user: User = entry.user
    if not entry.verified:
        _adopt(user=user, entry=entry, actor=actor, now=now)
    return user


def prove_address(*, user_id: UUID, email: str, now: datetime) -> None:
    """Remember that the person reads mail at ``email``, because they came with something that only was sent there.

    Does nothing unless it is the address of their account.
    """
    user = User.objects.filter(pk=user_id, email=email).first()
    if user is None or is_email_verified(user):
        return
    with transaction.atomic():
        EmailAddress.objects.filter(user=user).exclude(email=email).update(primary=False)
        EmailAddress.objects.update_or_create(user=user, email=email, defaults={"verified": True, "primary": True})
        announce_verified(user=user, email=email, now=now)


def forget_pending_addresses(*, user: User) -> None:
    """Let no change of address wait any longer: its link may be in the hands of whoever was in the account before."""
    EmailAddress.objects.filter(user=user).exclude(email=user.email).delete()


def announce_verified(*, user: User, email: str, now: datetime) -> None:
    """Tell the outbox and upper apps that an address is proved, in the transaction in which it is."""
    emit_event(type="user.email_verified", workspace_id=None, data={"user": str(user.pk), "email": email}, now=now)
    email_verified_signal.send(sender=User, user=user, email=email, now=now)


def _adopt(*, user: User, entry: Any, actor: Actor, now: datetime) -> None:
    before = user.email
    try:
        with transaction.atomic():
            EmailAddress.objects.filter(user=user).exclude(pk=entry.pk).delete()
            if before != entry.email:
                user.email = entry.email
                user.save(update_fields=["email", "updated_at"])
            entry.verified = entry.primary = True
            entry.save()
            record_act(
                actor=as_user(actor, user),
                action="user.email_verified",
                target=Target("user", str(user.pk), entry.email),
                changes={"email": [before, entry.email]} if before != entry.email else {},
                now=now,
            )
            announce_verified(user=user, email=entry.email, now=now)
    except IntegrityError as error:
        raise EmailTaken from error


def as_user(actor: Actor, user: User) -> Actor:
    """The person as the actor of what they do before they are signed in; whoever else acts stays who they are."""
    if actor.kind != ActorKind.VISITOR:
        return actor
    return replace(actor, kind=ActorKind.USER, id=user.pk, user_id=user.pk, name=user.get_full_name())
