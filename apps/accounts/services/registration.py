"""Registering people."""

from __future__ import annotations

import unicodedata
from datetime import datetime

from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction

from apps.accounts.errors import EmailTaken
from apps.accounts.models import User
from apps.accounts.services.addresses import as_user, normalise_email, prove_address, send_verification
from apps.accounts.services.attempts import count_registration
from apps.accounts.services.passwords import check_new_password
from apps.audit.services import Target, record_act
from apps.common.actors import Actor
from apps.common.errors import FieldError, InvalidInput
from apps.common.names import check_name


def register_user(
    *,
    email: str,
    password: str,
    name: str = "",
    actor: Actor,
    now: datetime,
    locale: str = "en",
    time_zone: str = "UTC",
    email_verified: bool = False,
) -> User:
    """A new person, and the message that asks them to prove their address.

    With ``email_verified`` the address counts as proved (an invitation's token was sent there) and no message is sent.
    Raises TooManyAttempts (``RATE_REGISTRATION`` per address of the caller), InvalidInput at ``/email``, ``/password``
    or ``/name``, EmailTaken.
    """
    if actor.address:
        count_registration(address=actor.address)
    email, name = clean_registration(email=email, password=password, name=name)
    with transaction.atomic():
        user = _insert(email=email, password=password, name=name, locale=locale, time_zone=time_zone)
        record_act(
            actor=as_user(actor, user), action="user.registered", target=Target("user", str(user.pk), email), now=now
        )
        if email_verified:
            prove_address(user_id=user.pk, email=user.email, now=now)
        else:
            send_verification(user=user, now=now, signup=True)
    return user


def clean_registration(*, email: str, password: str, name: str) -> tuple[str, str]:
    """The address and the name as they are kept. Raises InvalidInput with every fault at once."""
    faults: list[FieldError] = []
    try:
        email = normalise_email(email)
    except InvalidInput as error:
        faults += error.errors
    try:
        check_new_password(password, user=User(email=email, name=name))
    except InvalidInput as error:
        faults += error.errors
    try:
        name = normalise_name(name)
    except InvalidInput as error:
        faults += error.errors
    if faults:
        raise InvalidInput(errors=faults)
    return email, name


def normalise_name(name: str) -> str:
    """A person's name as it is kept. Raises InvalidInput at ``/name`` for control characters and above 150."""
    name = unicodedata.normalize("NFC", name)
    check_name(name)
    name = " ".join(name.split())
    if len(name) > 150:
        raise InvalidInput.at("/name", "too_long", "A name has at most 150 characters.")
    return name


def _insert(*, email: str, password: str, name: str, locale: str, time_zone: str) -> User:
    if User.objects.filter(email=email).exists() or EmailAddress.objects.filter(email=email, verified=True).exists():
        raise EmailTaken
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, password, name=name, locale=locale, time_zone=time_zone)
            EmailAddress.objects.get_or_create(user=user, email=email, defaults={"primary": True, "verified": False})
    except IntegrityError as error:
        raise EmailTaken from error
    return user
