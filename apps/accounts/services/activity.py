"""Shutting a person out, and letting them in again. Nobody is ever deleted."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from apps.accounts.errors import AlreadyErased, LastOperator
from apps.accounts.models import User
from apps.accounts.services.sessions import end_sessions
from apps.audit.services import Target, record_act
from apps.common.actors import Actor


def deactivate_person(*, user_id: UUID, reason: str, actor: Actor, now: datetime) -> User:
    """Sign a person out everywhere and refuse them from now on: their tokens, and their keys, too.

    What they made stays, and so do their memberships. Doing it twice changes nothing. Raises LastOperator.
    """
    with transaction.atomic():
        # All operators in one order, so that two who shut each other out don't wait for one another.
        wanted = Q(pk=user_id) | Q(is_staff=True, is_active=True)
        locked = {row.pk: row for row in User.objects.select_for_update().filter(wanted).order_by("pk")}
        user = locked[user_id]
        if not user.is_active:
            return user
        if is_last_operator(user):
            raise LastOperator
        user.is_active = False
        user.save(update_fields=["is_active", "updated_at"])
        end_sessions(user=user)
        _record("user.deactivated", user, reason=reason, actor=actor, now=now)
    return user


def reactivate_person(*, user_id: UUID, reason: str, actor: Actor, now: datetime) -> User:
    """Let a person sign in again. Doing it twice changes nothing. Raises AlreadyErased: nobody is left to sign in."""
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=user_id)
        if user.erased_at is not None:
            raise AlreadyErased
        if user.is_active:
            return user
        user.is_active = True
        user.save(update_fields=["is_active", "updated_at"])
        _record("user.reactivated", user, reason=reason, actor=actor, now=now)
    return user


def is_last_operator(user: User) -> bool:
    """Whether nobody else runs the platform; all operators stay locked until the transaction ends."""
    if not (user.is_staff and user.is_active):
        return False
    operators = User.objects.select_for_update().filter(is_staff=True, is_active=True).order_by("pk")
    return not any(operator.pk != user.pk for operator in operators)


def _record(action: str, user: User, *, reason: str, actor: Actor, now: datetime) -> None:
    target = Target("user", str(user.pk), user.email)
    record_act(actor=actor, action=action, target=target, changes={"reason": reason}, now=now)
