"""Restores and kept databases in the consoles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from django import forms
from django.contrib import admin
from django.template.defaultfilters import filesizeformat

from apps.common.admin import Act, ActContext, ActForm, PlatformAdmin, WorkspaceAdmin, platform_site, workspace_site
from apps.common.errors import InvalidInput
from apps.databases.models import KeptDatabase, Restore, WorkspaceDatabase
from apps.databases.services.restores.kept import delete_kept_database
from apps.databases.services.restores.requests import request_restore, request_swap_back
from apps.databases.states import USABLE, DatabaseStatus


class ConfirmationForm(ActForm):
    """Who replaces a live database has read which one it is."""

    database = forms.CharField(
        max_length=63, label="Name of the database", help_text="Type the name of the live database to confirm."
    )


def _confirm(live: WorkspaceDatabase, typed: str) -> None:
    if typed.strip() != live.name:
        raise InvalidInput.at("/database", "not_confirmed", f"Type {live.name} to confirm.")


def _restore(context: ActContext, *, database: str) -> str:
    backup = context.row
    _confirm(backup.database, database)
    request_restore(workspace=backup.database.workspace, backup_id=backup.pk, actor=context.actor, now=context.now)
    return "The restore has begun. Until it takes its place the live database serves; follow it among the operations."


def _copy(context: ActContext) -> str:
    backup = context.row
    request_restore(
        workspace=backup.database.workspace, backup_id=backup.pk, into_new=True, actor=context.actor, now=context.now
    )
    return "The backup is being restored beside the live database; you will find it among the kept databases."


def _put_back(context: ActContext, *, database: str) -> str:
    kept = context.row
    _confirm(kept.database, database)
    request_swap_back(workspace=kept.database.workspace, kept_id=kept.pk, actor=context.actor, now=context.now)
    return "It is being put back. The database that is live now will be kept in turn."


def _delete(context: ActContext) -> str:
    kept = context.row
    delete_kept_database(workspace=kept.database.workspace, kept_id=kept.pk, actor=context.actor, now=context.now)
    return f"{kept} is being dropped."


#: What can be done to a backup: its table is registered elsewhere.
RESTORE_ACTS = (
    Act(
        name="restore",
        label="Restore…",
        icon="settings_backup_restore",
        explanation="The database becomes what this backup holds. The live one serves until then, is out for a moment, "
        "and is kept for a week, during which it can be put back.",
        code="backups.restore",
        form=ConfirmationForm,
        run=_restore,
        allowed=lambda row: row.status in USABLE and row.database.status == DatabaseStatus.READY,
        danger=True,
    ),
    Act(
        name="restore-copy",
        label="Restore a copy",
        icon="file_copy",
        explanation="Beside the live database, which isn't touched: to look into it, or to take rows out of it.",
        code="backups.restore",
        run=_copy,
        allowed=lambda row: row.status in USABLE and row.database.status == DatabaseStatus.READY,
    ),
)

KEPT_ACTS = (
    Act(
        name="put-back",
        label="Put back…",
        icon="undo",
        explanation="It takes the live database's place again. The live one is backed up first, and kept in turn.",
        code="backups.restore",
        form=ConfirmationForm,
        run=_put_back,
        allowed=lambda row: row.dropped_at is None and row.database.status == DatabaseStatus.READY,
        danger=True,
    ),
    Act(
        name="drop",
        label="Drop now",
        icon="delete",
        explanation="What is in it is gone, and its space is free. This can't be undone.",
        code="backups.restore",
        run=_delete,
        allowed=lambda row: row.dropped_at is None,
        danger=True,
    ),
)


class _KeptDatabases:
    list_display = ("name", "origin", "size", "revision", "keep_until", "dropped_at", "created_at")
    list_filter = ("origin",)
    list_select_related = ("database__workspace",)
    search_fields = ("name", "=operation_id")
    acts: ClassVar[Sequence[Act]] = KEPT_ACTS

    @admin.display(description="Size", ordering="size_bytes")
    def size(self, row: KeptDatabase) -> str:
        return filesizeformat(row.size_bytes)


@admin.register(KeptDatabase, site=platform_site)
class KeptDatabaseAdmin(_KeptDatabases, PlatformAdmin):
    """Every kept database."""


@admin.register(KeptDatabase, site=workspace_site)
class WorkspaceKeptDatabaseAdmin(_KeptDatabases, WorkspaceAdmin):
    """The workspace's."""

    view_code: ClassVar[str] = "backups.view"
    workspace_lookup: ClassVar[str] = "database__workspace"


@admin.register(Restore, site=platform_site)
class RestoreAdmin(PlatformAdmin):
    """What each restore did, what it keeps fenced, what it left."""

    list_display = ("created_at", "kind", "database", "swapped_at", "fenced_until", "settled_at")
    list_filter = ("kind",)
    list_select_related = ("database",)
    search_fields = ("database__name", "=operation_id", "=id")
