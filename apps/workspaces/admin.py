"""Workspaces, their people and their schemas in the consoles."""

from typing import ClassVar

from django.contrib import admin

from apps.common.admin import PlatformAdmin, WorkspaceAdmin, platform_site, workspace_site
from apps.workspaces.models import Invitation, Membership, Role, SchemaSlot, SlugHold, Workspace


@admin.register(Workspace, site=platform_site)
class WorkspaceTableAdmin(PlatformAdmin):
    """All workspaces."""

    list_display = ("name", "slug", "status", "plan_code", "owner", "created_at")
    list_filter = ("status", "plan_code")
    list_select_related = ("owner",)
    search_fields = ("name", "slug", "display_name", "owner__email", "=id", "schema_name")
    autocomplete_fields = ("owner",)


@admin.register(SchemaSlot, site=platform_site)
class SchemaSlotAdmin(PlatformAdmin):
    """The pool of schemas."""

    list_display = ("schema_name", "status", "fingerprint", "created_at")
    list_filter = ("status", "fingerprint")
    search_fields = ("schema_name",)


@admin.register(SlugHold, site=platform_site)
class SlugHoldAdmin(PlatformAdmin):
    """Slugs that are kept from other owners for a while."""

    list_display = ("slug", "owner", "until")
    list_select_related = ("owner",)
    search_fields = ("slug", "owner__email")


class _Memberships:
    list_display = ("__str__", "workspace", "role", "status", "joined_at")
    list_filter = ("status",)
    list_select_related = ("workspace", "user", "role")
    search_fields = ("user__email", "user__name", "service_account_name", "workspace__slug")


class _Invitations:
    list_display = ("email", "workspace", "role", "status", "expires_at")
    list_filter = ("status",)
    list_select_related = ("workspace", "role")
    search_fields = ("email", "workspace__slug")
    exclude = ("token_hash",)


class _Roles:
    list_display = ("name", "code", "workspace")
    list_select_related = ("workspace",)
    search_fields = ("name", "code", "workspace__slug")


@admin.register(Membership, site=platform_site)
class PlatformMembershipAdmin(_Memberships, PlatformAdmin):
    """Who belongs where."""


@admin.register(Membership, site=workspace_site)
class WorkspaceMembershipAdmin(_Memberships, WorkspaceAdmin):
    """The members of this workspace."""

    list_display = ("__str__", "role", "status", "joined_at")
    view_code: ClassVar[str] = "members.view"
    workspace_lookup: ClassVar[str] = "workspace"


@admin.register(Invitation, site=platform_site)
class PlatformInvitationAdmin(_Invitations, PlatformAdmin):
    """All invitations."""


@admin.register(Invitation, site=workspace_site)
class WorkspaceInvitationAdmin(_Invitations, WorkspaceAdmin):
    """This workspace's invitations."""

    list_display = ("email", "role", "status", "expires_at")
    view_code: ClassVar[str] = "members.view"
    workspace_lookup: ClassVar[str] = "workspace"


@admin.register(Role, site=platform_site)
class PlatformRoleAdmin(_Roles, PlatformAdmin):
    """Built-in roles and those that workspaces made."""


@admin.register(Role, site=workspace_site)
class WorkspaceRoleAdmin(_Roles, WorkspaceAdmin):
    """The roles that this workspace made."""

    list_display = ("name", "code")
    view_code: ClassVar[str] = "members.view"
    workspace_lookup: ClassVar[str] = "workspace"
