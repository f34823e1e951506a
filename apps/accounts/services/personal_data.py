"""A person's right to see and to erase what is stored about them (GDPR, articles 15, 17 and 20)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db import transaction

from apps.accounts.errors import ErasureObstructed
from apps.accounts.models import LastSeen, OutgoingMail, User
from apps.accounts.selectors import mfa_status, user_profile
from apps.accounts.services.activity import is_last_operator
from apps.accounts.services.sessions import end_sessions
from apps.accounts.signals import user_erased
from apps.audit.services import Target, record_act
from apps.common.actors import Actor
from apps.events.services import emit_event

#: Says what stands in the way of erasing a person, a sentence each: "You are the last owner of Blue Team."
Obstacle = Callable[[User], Iterable[str]]
#: A section of a person's export, as plain JSON values.
Section = Callable[[User], Any]

_obstacles: list[Obstacle] = []
_sections: dict[str, Section] = {}


def declare_obstacle(obstacle: Obstacle) -> None:
    """Upper apps: what may stand in the way of an erasure. It is asked inside the transaction, and may lock rows."""
    _obstacles.append(obstacle)


def declare_section(name: str, section: Section) -> None:
    """Upper apps: what you keep about a person. Raises ValueError for a name that is taken."""
    if name in _sections:
        raise ValueError(f"The section {name} of the personal data is declared twice")
    _sections[name] = section


def export_personal_data(*, user: User, actor: Actor, now: datetime) -> dict[str, Any]:
    """Everything that is stored about a person, as JSON values; what upper apps keep is a section of theirs each."""
    data = {
        "exported_at": now.isoformat(),
        "account": _account(user),
        "addresses": list(EmailAddress.objects.filter(user=user).values("email", "verified", "primary")),
        "two_step_sign_in": _two_step(user),
        "sessions": [
            {
                "signed_in_at": session.created_at.isoformat(),
                "last_seen_at": session.last_seen_at.isoformat(),
                "address": session.ip,
                "user_agent": session.user_agent,
            }
            for session in UserSession.objects.filter(user=user).order_by("created_at", "pk")
        ],
        "messages": [
            {"kind": kind, "to": to, "at": at.isoformat()}
            for kind, to, at in OutgoingMail.objects.filter(to=user.email).values_list("kind", "to", "created_at")
        ],
        **{name: section(user) for name, section in sorted(_sections.items())},
    }
    record_act(actor=actor, action="user.exported", target=_target(user), now=now)
    return data


def erase_person(*, user: User, actor: Actor, now: datetime) -> None:
    """Empty a person's row and delete whatever else is theirs; they are signed out everywhere and can't come back.

    The row stays, because what they did stays: versions, releases and the trail name it. Raises ErasureObstructed,
    with a sentence for each thing that needs this person.
    """
    with transaction.atomic():
        locked = User.objects.select_for_update().get(pk=user.pk)
        obstacles = [sentence for obstacle in (_only_operator, *_obstacles) for sentence in obstacle(locked)]
        if obstacles:
            raise ErasureObstructed(" ".join(obstacles), obstacles=obstacles)
        record_act(actor=actor, action="user.erased", target=Target("user", str(locked.pk)), now=now)
        user_erased.send(sender=User, user=locked, now=now)
        end_sessions(user=locked)
        OutgoingMail.objects.filter(to=locked.email).delete()
        EmailAddress.objects.filter(user=locked).delete()
        Authenticator.objects.filter(user=locked).delete()
        LastSeen.objects.filter(user=locked).delete()
        _empty(locked, now)
        emit_event(type="user.erased", workspace_id=None, data={"user": str(locked.pk)}, now=now)


def _empty(user: User, now: datetime) -> None:
    user.email = f"erased-{user.pk.hex}@erased.invalid"
    user.name, user.locale, user.time_zone = "", "en", "UTC"
    user.is_active = user.is_staff = False
    user.erased_at = now
    user.set_unusable_password()
    user.save()


def _only_operator(user: User) -> Iterable[str]:
    if is_last_operator(user):
        yield "You are the last operator of this platform."


def _account(user: User) -> dict[str, Any]:
    profile = user_profile(user)
    seen = LastSeen.objects.filter(user=user).values_list("at", flat=True).first()
    return {
        "id": str(profile.id),
        "email": profile.email,
        "email_verified": profile.email_verified,
        "name": profile.name,
        "locale": profile.locale,
        "time_zone": profile.time_zone,
        "is_operator": profile.is_operator,
        "created_at": profile.created_at.isoformat(),
        "last_seen_at": seen.isoformat() if seen else None,
    }


def _two_step(user: User) -> dict[str, Any]:
    status = mfa_status(user)
    return {
        "active": status.totp_active,
        "activated_at": status.activated_at.isoformat() if status.activated_at else None,
        "last_used_at": status.last_used_at.isoformat() if status.last_used_at else None,
        "recovery_codes_left": status.recovery_codes_left,
    }


def _target(user: User) -> Target:
    return Target("user", str(user.pk), user.email)
