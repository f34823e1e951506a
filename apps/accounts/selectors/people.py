"""Reads about people."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import idna
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef, QuerySet

from apps.accounts.models import User


@dataclass(frozen=True, slots=True)
class UserProfile:
    """A person as the API shows them to themselves."""

    id: UUID
    email: str
    name: str
    locale: str
    time_zone: str
    email_verified: bool
    mfa_active: bool
    is_operator: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class MfaStatus:
    """A person's second factor; ``recovery_codes_left`` counts the unused ones."""

    totp_active: bool
    activated_at: datetime | None
    last_used_at: datetime | None
    recovery_codes_left: int


def user_profile(user: User) -> UserProfile:
    """What the API tells a person about their account."""
    return UserProfile(
        id=user.pk,
        email=user.email,
        name=user.name,
        locale=user.locale,
        time_zone=user.time_zone,
        email_verified=is_email_verified(user),
        mfa_active=Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP).exists(),
        is_operator=user.is_staff,
        created_at=user.created_at,
    )


def is_email_verified(user: User) -> bool:
    """Whether the person proved that their address is theirs."""
    return bool(EmailAddress.objects.filter(user_id=user.pk, email=user.email, verified=True).exists())


def fold_email(email: str) -> str:
    """An address as registration would keep it, for comparing; nonsense stays nonsense."""
    local, at, domain = unicodedata.normalize("NFKC", email).strip().lower().rpartition("@")
    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode()}" if at else domain
    except (idna.IDNAError, UnicodeError):
        return f"{local}@{domain}"


def find_user(*, email: str) -> User | None:
    """The active person with this address, compared without case."""
    return User.objects.filter(email=fold_email(email), is_active=True).first()


def mfa_status(user: User) -> MfaStatus:
    """Which second factor a person has."""
    found = {entry.type: entry for entry in Authenticator.objects.filter(user_id=user.pk)}
    totp, codes = found.get(Authenticator.Type.TOTP), found.get(Authenticator.Type.RECOVERY_CODES)
    return MfaStatus(
        totp_active=totp is not None,
        activated_at=totp.created_at if totp else None,
        last_used_at=totp.last_used_at if totp else None,
        recovery_codes_left=len(codes.wrap().get_unused_codes()) if codes else 0,
    )


def live_sessions(*, user: User, now: datetime) -> QuerySet[Any]:
    """Where a person is signed in, the latest first."""
    alive = Session.objects.filter(session_key=OuterRef("session_key"), expire_date__gt=now)
    sessions: QuerySet[Any] = UserSession.objects.filter(Exists(alive), user_id=user.pk)
    return sessions.order_by("-created_at", "-pk")
