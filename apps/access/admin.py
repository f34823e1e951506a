"""Keys and decisions in the consoles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from django.contrib import admin

from apps.access.models import ApiKey, Decision
from apps.access.services.keys import revoke_key
from apps.access.states import ApiKeyStatus
from apps.common.admin import Act, ActContext, PlatformAdmin, WorkspaceAdmin, platform_site, workspace_site
from apps.common.permissions import operator_grant


def _revoke(context: ActContext) -> str:
    workspace = context.row.membership.workspace
    revoke_key(
        workspace=workspace,
        key_id=context.row.pk,
        actor=context.actor,
        grant=context.grant or operator_grant(workspace),
        now=context.now,
    )
    return f"{context.row} is revoked: its next request is refused."


KEY_ACTS = (
    Act(
        name="revoke",
        label="Revoke",
        icon="key_off",
        explanation="Programs that use this key are refused from their next request on. This can't be undone.",
        code="keys.manage",
        run=_revoke,
        allowed=lambda row: row.status == ApiKeyStatus.ACTIVE,
        danger=True,
        bulk=True,
    ),
)


class _ApiKeys:
    list_display = ("name", "prefix", "membership", "status", "expires_at", "last_used_at")
    list_filter = ("status",)
    list_select_related = ("membership__user", "membership__role")
    search_fields = ("name", "prefix", "membership__user__email", "membership__service_account_name")
    exclude = ("secret_hash",)
    acts: ClassVar[Sequence[Act]] = KEY_ACTS


class _Decisions:
    list_display = ("at", "status", "action", "code", "target")
    list_display_links = ("at", "action")
    list_filter = ("status", "code")
    search_fields = ("action", "target", "code", "request_id", "=id")


@admin.register(ApiKey, site=platform_site)
class PlatformApiKeyAdmin(_ApiKeys, PlatformAdmin):
    """All keys."""


@admin.register(ApiKey, site=workspace_site)
class WorkspaceApiKeyAdmin(_ApiKeys, WorkspaceAdmin):
    """This workspace's keys."""

    view_code: ClassVar[str] = "keys.manage"
    workspace_lookup: ClassVar[str] = "membership__workspace"


@admin.register(Decision, site=platform_site)
class PlatformDecisionAdmin(_Decisions, PlatformAdmin):
    """Why callers were refused."""


@admin.register(Decision, site=workspace_site)
class WorkspaceDecisionAdmin(_Decisions, WorkspaceAdmin):
    """Why callers were refused here."""

    view_code: ClassVar[str] = "audit.view"
    workspace_lookup: ClassVar[str] = "workspace_id"
