"""What accounts do when something happens in allauth's flows, whichever way it was reached."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from allauth.account import signals as account
from allauth.account.models import EmailAddress
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from allauth.usersessions import signals as usersessions
from allauth.usersessions.models import UserSession
from django.contrib.auth.signals import user_logged_out
from django.db.models.signals import post_init, post_save, pre_save
from django.dispatch import receiver
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.services.addresses import announce_verified, forget_pending_addresses
from apps.accounts.services.mfa import check_owner
from apps.accounts.services.passwords import end_access
from apps.accounts.services.sessions import end_family, end_sessions, register_session
from apps.accounts.services.sign_in import record_failed_sign_in
from apps.audit.services import Target, record_act
from apps.common.actors import ActorKind
from apps.common.api.views import actor_of
from apps.events.services import emit_event

# allauth walks through all of a person's sessions whenever they sign in; ours enters the new one and bounds them.
account.user_logged_in.disconnect(receiver=usersessions.on_user_logged_in)


@receiver(post_save, sender=User)
def announce_registration(instance: User, created: bool, raw: bool, **kwargs: Any) -> None:
    """However a person was made, the outbox says so; an operator's address, typed by an operator, counts as proved."""
    if not created or raw:
        return
    if instance.is_staff:
        EmailAddress.objects.get_or_create(
            user=instance, email=instance.email, defaults={"primary": True, "verified": True}
        )
    emit_event(
        type="user.registered",
        workspace_id=None,
        data={"user": str(instance.pk), "email": instance.email},
        now=instance.created_at,
    )


@receiver(account.user_logged_in)
def note_sign_in(request: Any, user: User, **kwargs: Any) -> None:
    """A new session: in the person's list, in the trail."""
    register_session(request=request, user=user)
    _record(request, user, "auth.signed_in")


@receiver(user_logged_out)
def forget_session(request: Any, user: User | None, **kwargs: Any) -> None:
    """Signing out in the browser ends the session's tokens too."""
    key = getattr(getattr(request, "session", None), "session_key", None)
    if key:
        end_family(session_keys=[key])
    if user is not None:
        _record(request, user, "auth.signed_out")


@receiver(account.password_changed)
@receiver(account.password_set)
def end_other_sessions(request: Any, user: User, **kwargs: Any) -> None:
    """A new password, chosen on the pages: signed out everywhere else."""
    end_sessions(user=user, except_key=request.session.session_key)
    UserSession.objects.create_from_request(request)
    forget_pending_addresses(user=user)
    _record(request, user, "auth.password_changed")


@receiver(account.password_reset)
def end_all_sessions(request: Any, user: User, **kwargs: Any) -> None:
    """A forgotten password, replaced on the pages: signed out everywhere."""
    end_access(user=user, actor=actor_of(request), now=timezone.now())
    forget_pending_addresses(user=user)
    _record(request, user, "auth.password_reset", actor_user=user)


@receiver(account.user_signed_up)
def note_registration(request: Any, user: User, **kwargs: Any) -> None:
    """Registered on the pages or by allauth's API."""
    _record(request, user, "user.registered", actor_user=user)


@receiver(account.email_confirmed)
def note_verified(request: Any, email_address: Any, **kwargs: Any) -> None:
    """An address proved on the pages or by allauth's API."""
    announce_verified(user=email_address.user, email=email_address.email, now=timezone.now())
    _record(request, email_address.user, "user.email_verified", actor_user=email_address.user)


@receiver(mfa.authenticator_added)
def note_authenticator_added(request: Any, user: User, authenticator: Any, **kwargs: Any) -> None:
    if authenticator.type != Authenticator.Type.RECOVERY_CODES:
        _record(request, user, "auth.mfa_activated")


@receiver(mfa.authenticator_removed)
def note_authenticator_removed(request: Any, user: User, authenticator: Any, **kwargs: Any) -> None:
    if authenticator.type != Authenticator.Type.RECOVERY_CODES:
        _record(request, user, "auth.mfa_deactivated")


@receiver(mfa.authenticator_reset)
def note_authenticator_reset(request: Any, user: User, **kwargs: Any) -> None:
    _record(request, user, "auth.recovery_codes_renewed")


@receiver(mfa.authentication_failed)
def note_wrong_code(request: Any, user: User, **kwargs: Any) -> None:
    record_failed_sign_in(email=user.email, user=user, reason="code", actor=actor_of(request), now=timezone.now())


@receiver(post_init, sender=Authenticator)
@receiver(pre_save, sender=Authenticator)
def hold_to_owner(instance: Any, **kwargs: Any) -> None:
    """A row whose secret was sealed for somebody else is never used, nor written."""
    if "data" not in instance.get_deferred_fields():
        check_owner(instance)


def _record(request: Any, user: User, action: str, *, actor_user: User | None = None) -> None:
    """Write the platform's trail. ``actor_user`` acts unsigned: the key from their mail says who they are."""
    actor = actor_of(request)
    if actor.id is None or actor_user is not None:
        person = actor_user or user
        actor = replace(
            actor, kind=ActorKind.USER, id=person.pk, user_id=person.pk, name=person.get_full_name(), impersonator=None
        )
    record_act(actor=actor, action=action, target=Target("user", str(user.pk), user.email), now=timezone.now())
