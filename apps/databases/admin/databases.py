"""Workspaces' databases in the consoles: made, rotated, deleted, kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin
from django.template.defaultfilters import filesizeformat

from apps.common.admin import Act, ActContext, ActForm, PlatformAdmin, WorkspaceAdmin, platform_site, workspace_site
from apps.common.errors import InvalidInput
from apps.databases.models import WorkspaceDatabase
from apps.databases.services.deletion import delete_database, undelete_database
from apps.databases.services.provisioning import create_database
from apps.databases.services.rotation import change_rotation, rotate_secret
from apps.databases.states import DatabaseStatus


class DeletionForm(ActForm):
    """Who deletes a database has read which one it is."""

    name = forms.CharField(max_length=63, label="Name of the database", help_text="Type it to confirm.")


class RotationForm(ActForm):
    """How often the login is rotated by itself."""

    rotation_days = forms.IntegerField(
        min_value=1,
        max_value=settings.DATABASE_ROTATION_DAYS_MAX,
        required=False,
        label="Every so many days",
        help_text="Empty: by hand only.",
    )

    @classmethod
    def values_of(cls, row: WorkspaceDatabase) -> dict[str, object]:
        return {"rotation_days": row.rotation_days}


def _create(context: ActContext) -> str:
    create_database(workspace=context.member_grant.workspace, actor=context.actor, now=context.now)
    return "The database is being made; it takes seconds."


def _rotate(context: ActContext) -> str:
    rotate_secret(workspace=context.row.workspace, actor=context.actor, now=context.now)
    return "The login is being rotated. The one before goes on to work until nobody uses it any more."


def _schedule(context: ActContext, *, rotation_days: int | None) -> str:
    change_rotation(workspace=context.row.workspace, rotation_days=rotation_days, actor=context.actor, now=context.now)
    return f"The login is rotated every {rotation_days} days." if rotation_days else "The login is rotated by hand."


def _delete(context: ActContext, *, name: str) -> str:
    if name.strip() != context.row.name:
        raise InvalidInput.at("/name", "not_confirmed", f"Type {context.row.name} to confirm.")
    delete_database(workspace=context.row.workspace, actor=context.actor, now=context.now)
    return "Nobody gets into the database any more. Until its grace is over, its deletion can be undone."


def _undelete(context: ActContext) -> str:
    undelete_database(workspace=context.row.workspace, actor=context.actor, now=context.now)
    return "The database is kept, and its logins get in again."


def _is_ready(row: WorkspaceDatabase) -> bool:
    return row.status == DatabaseStatus.READY


DATABASE_ACTS = (
    Act(
        name="rotate",
        label="Rotate login",
        icon="autorenew",
        explanation="A new login is tried and published. Clients of the one before go on until they have moved.",
        code="databases.manage",
        run=_rotate,
        allowed=lambda row: _is_ready(row) and row.drain_until is None,
    ),
    Act(
        name="rotation",
        label="Rotation schedule…",
        icon="event_repeat",
        code="databases.manage",
        form=RotationForm,
        run=_schedule,
        allowed=_is_ready,
    ),
    Act(
        name="delete",
        label="Delete…",
        icon="delete",
        explanation="It is closed at once, and deleted when its grace is over. "
        "Backups are kept as long as they would be.",
        code="databases.manage",
        form=DeletionForm,
        run=_delete,
        allowed=lambda row: row.status in {DatabaseStatus.READY, DatabaseStatus.FAILED},
        danger=True,
    ),
    Act(
        name="undelete",
        label="Keep it",
        icon="restore_from_trash",
        explanation="Ends the deletion; its logins get in again.",
        code="databases.manage",
        run=_undelete,
        allowed=lambda row: row.status == DatabaseStatus.DELETING,
    ),
)


class _Databases:
    list_display: Sequence[str] = ("name", "status", "server", "size", "revision", "rotated_at", "created_at")
    list_filter: Sequence[str] = ("status",)
    list_select_related = ("server", "workspace")
    search_fields: Sequence[str] = ("name", "=id", "workspace__slug")
    exclude = ("secret", "next_secret")
    acts: ClassVar[Sequence[Act]] = DATABASE_ACTS

    @admin.display(description="Size", ordering="size_bytes")
    def size(self, row: WorkspaceDatabase) -> str:
        of = f" of {filesizeformat(row.limit_bytes)}" if row.limit_bytes else ""
        return f"{filesizeformat(row.size_bytes)}{of}"


@admin.register(WorkspaceDatabase, site=platform_site)
class WorkspaceDatabaseTableAdmin(_Databases, PlatformAdmin):
    """All databases."""

    list_display = ("name", "workspace", "status", "server", "size", "revision", "rotated_at", "created_at")
    list_filter = ("status", "server")


@admin.register(WorkspaceDatabase, site=workspace_site)
class OwnDatabaseAdmin(_Databases, WorkspaceAdmin):
    """The workspace's database, and those that it had."""

    view_code: ClassVar[str] = "databases.view"
    workspace_lookup: ClassVar[str] = "workspace"
    table_acts: ClassVar[Sequence[Act]] = (
        Act(
            name="create",
            label="Make a database",
            icon="add",
            explanation="A PostgreSQL database of the workspace's own. A workspace has one at most.",
            code="databases.manage",
            run=_create,
        ),
    )
