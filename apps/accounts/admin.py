"""People in the operators' console."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from django.contrib import admin

from apps.accounts.models import RefreshToken, User
from apps.accounts.services.activity import deactivate_person, reactivate_person
from apps.common.admin import Act, ActContext, PlatformAdmin, ReasonForm, platform_site


def _deactivate(context: ActContext, *, reason: str) -> str:
    deactivate_person(user_id=context.row.pk, reason=reason, actor=context.actor, now=context.now)
    return f"{context.row} is signed out everywhere and can't sign in."


def _reactivate(context: ActContext, *, reason: str) -> str:
    reactivate_person(user_id=context.row.pk, reason=reason, actor=context.actor, now=context.now)
    return f"{context.row} can sign in again."


PERSON_ACTS = (
    Act(
        name="deactivate",
        label="Deactivate",
        icon="person_off",
        explanation="They are signed out everywhere, and neither they nor their API keys get in. What they made stays.",
        form=ReasonForm,
        run=_deactivate,
        allowed=lambda row: row.is_active,
        danger=True,
    ),
    Act(
        name="reactivate",
        label="Reactivate",
        icon="person_check",
        explanation="They can sign in again, and their API keys work again.",
        form=ReasonForm,
        run=_reactivate,
        allowed=lambda row: not row.is_active and row.erased_at is None,
    ),
)


@admin.register(User, site=platform_site)
class UserAdmin(PlatformAdmin):
    """People: found by address or name."""

    acts: ClassVar[Sequence[Act]] = PERSON_ACTS
    list_display = ("email", "name", "is_active", "is_staff", "created_at")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email", "name", "=id")
    exclude = ("password",)


@admin.register(RefreshToken, site=platform_site)
class RefreshTokenAdmin(PlatformAdmin):
    """Refresh tokens: whose, and whether they were spent. The tokens themselves are nowhere."""

    list_display = ("user", "issued_at", "expires_at", "spent_at")
    list_filter = (("spent_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user",)
    search_fields = ("user__email",)
    exclude = ("jti", "session_key")
