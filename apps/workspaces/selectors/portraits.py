"""A workspace's public rows as an archive carries them: what makes sense in another installation, and no credential."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from apps.workspaces.models import Membership, Role, Workspace
from apps.workspaces.states import MembershipStatus


def portrait_of(workspace_id: UUID) -> dict[str, Any]:
    """``{"workspace": …, "roles": […], "members": […]}``, JSON.

    Members are there for the record only, by name and address: who belongs to the copy is decided where it is made.
    """
    workspace = Workspace.objects.get(pk=workspace_id)
    roles = Role.objects.filter(workspace=workspace, retired_at=None).order_by("code")
    members = (
        Membership.objects.filter(workspace=workspace)
        .exclude(status=MembershipStatus.LEFT)
        .select_related("user", "role")
        .order_by("joined_at", "id")
    )
    return {
        "workspace": {
            "id": str(workspace.pk),
            "slug": workspace.slug,
            "name": workspace.name,
            "display_name": workspace.display_name,
            "default_app": str(workspace.default_app_id) if workspace.default_app_id else None,
            "time_zone": workspace.time_zone,
            "locale": workspace.locale,
            "config": workspace.config,
        },
        "roles": [{"code": role.code, "name": role.name, "permissions": sorted(role.codes)} for role in roles],
        "members": [
            {
                "name": member.user.get_full_name() if member.user else member.service_account_name,
                "email": member.user.email if member.user else None,
                "role": member.role.code,
                "status": member.status,
                "joined_at": member.joined_at.isoformat(),
            }
            for member in members
        ],
    }
