"""Backups and their schedules in the consoles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.http import Http404, HttpRequest, HttpResponseBase
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from apps.common.admin import Act, ActContext, ActForm, PlatformAdmin, WorkspaceAdmin, platform_site, workspace_site
from apps.common.admin.sites import workspace_grant
from apps.common.api.views import actor_of
from apps.common.errors import AppRunError
from apps.databases.admin.restores import RESTORE_ACTS
from apps.databases.api.v1.backups import dump_response
from apps.databases.models import Backup, BackupSchedule
from apps.databases.services.backups.downloads import open_download
from apps.databases.services.backups.requests import delete_backup, request_backup, request_prove
from apps.databases.services.backups.schedules import change_schedule
from apps.databases.states import USABLE, BackupStatus, DatabaseStatus


class BackUpForm(ActForm):
    """Whether to prove it too."""

    prove = forms.BooleanField(required=False, label="Prove it afterwards")


class ScheduleForm(ActForm):
    """When, and how much is kept. What is left empty stays as it is."""

    cron = forms.CharField(max_length=100, required=False, help_text="Such as 30 2 * * * for half past two, daily.")
    time_zone = forms.CharField(max_length=64, required=False, help_text="Such as Europe/Berlin.")
    keep_count = forms.IntegerField(min_value=1, required=False, label="Backups to keep")
    keep_days = forms.IntegerField(min_value=1, required=False, label="Days to keep them")
    prove_every_days = forms.IntegerField(min_value=0, required=False, label="Prove one every so many days")
    enabled = forms.BooleanField(required=False, initial=True, label="Back up by itself")


def _prove(context: ActContext) -> str:
    workspace = context.row.database.workspace
    request_prove(workspace=workspace, backup_id=context.row.pk, actor=context.actor, now=context.now)
    return "It is being restored into a scratch database and compared; follow it among the operations."


def _delete(context: ActContext) -> str:
    workspace = context.row.database.workspace
    delete_backup(workspace=workspace, backup_id=context.row.pk, actor=context.actor, now=context.now)
    return "The backup has expired; its files will be deleted within two hours."


def _change(context: ActContext, **given: Any) -> str:
    changes = {name: value for name, value in given.items() if value not in (None, "")}
    schedule = change_schedule(
        workspace=context.row.database.workspace, actor=context.actor, now=context.now, **changes
    )
    when = f"The next backup is due at {schedule.next_run_at:%Y-%m-%d %H:%M} UTC."
    return when if schedule.enabled else "The database is not backed up by itself any more."


def _back_up(context: ActContext, *, prove: bool) -> str:
    workspace = context.row.database.workspace
    request_backup(workspace=workspace, actor=context.actor, now=context.now, prove=prove)
    return "The backup has begun; follow it among the operations."


BACKUP_ACTS = (
    Act(
        name="prove",
        label="Prove",
        icon="verified",
        explanation="It is restored into a scratch database that nobody can enter, and every table is compared.",
        code="backups.create",
        run=_prove,
        allowed=lambda row: row.status in USABLE and row.database.status == DatabaseStatus.READY,
    ),
    *RESTORE_ACTS,
    Act(
        name="delete",
        label="Delete",
        icon="delete",
        explanation="Its files are deleted. The last backup that was proved restorable can't be.",
        code="backups.manage",
        run=_delete,
        allowed=lambda row: row.status != BackupStatus.RUNNING and row.deleted_at is None and row.expires_at is None,
        danger=True,
        bulk=True,
        when_not_active=True,
    ),
)
SCHEDULE_ACTS = (
    Act(
        name="back-up",
        label="Back up now",
        icon="backup",
        code="backups.create",
        form=BackUpForm,
        run=_back_up,
        allowed=lambda row: row.database.status == DatabaseStatus.READY,
    ),
    Act(
        name="change",
        label="Change…",
        icon="schedule",
        explanation="Times are those of the time zone, also when its clocks change.",
        code="backups.manage",
        form=ScheduleForm,
        run=_change,
    ),
)


class _Backups:
    list_display = ("started_at", "kind", "status", "database", "size", "rows", "stored_at", "proved_at")
    list_filter = ("status", "kind")
    list_select_related = ("database__workspace",)
    search_fields = ("database__name", "sha256", "=id", "=operation_id")
    exclude = ("sealed_key", "manifest")
    date_hierarchy = "started_at"
    readonly_fields = ("dump",)
    acts: ClassVar[Sequence[Act]] = BACKUP_ACTS

    @admin.display(description="Size", ordering="size_bytes")
    def size(self, row: Backup) -> str:
        return filesizeformat(row.size_bytes)

    @admin.display(description="dump")
    def dump(self, row: Backup) -> str:
        if row.status not in USABLE:
            return "–"
        address = reverse("admin:databases_backup_dump", args=[row.pk])
        return format_html(
            '<a class="text-primary-600 dark:text-primary-500 underline" href="{}">Download for pg_restore</a>', address
        )

    def get_fields(self: Any, request: HttpRequest, obj: Any = None) -> list[Any]:
        return ["dump", *super().get_fields(request, obj)]  # type: ignore[misc]

    def get_urls(self: Any) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.download)
        own = path("<path:object_id>/dump/", view, name="databases_backup_dump")
        return [own, *super().get_urls()]  # type: ignore[misc]

    def download(self: Any, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """The dump, for whoever may see this row and download; it is in the trail like any other download."""
        backup = self.get_object(request, unquote(object_id)) if self.has_view_permission(request) else None
        grant = workspace_grant(request)
        if backup is None or (grant is not None and not grant.allows("backups.download")):
            raise Http404
        workspace = backup.database.workspace
        try:
            found, pieces = open_download(
                workspace=workspace, backup_id=backup.pk, actor=actor_of(request), now=timezone.now()
            )
        except AppRunError as error:
            raise Http404(error.detail) from error
        return dump_response(found, pieces, slug=workspace.slug)


class _Schedules:
    list_display = ("database", "cron", "time_zone", "enabled", "next_run_at", "last_run_at", "keep_count", "keep_days")
    list_filter = ("enabled",)
    list_select_related = ("database__workspace",)
    search_fields = ("database__name", "=id")
    acts: ClassVar[Sequence[Act]] = SCHEDULE_ACTS


@admin.register(Backup, site=platform_site)
class BackupAdmin(_Backups, PlatformAdmin):
    """Every backup."""


@admin.register(Backup, site=workspace_site)
class WorkspaceBackupAdmin(_Backups, WorkspaceAdmin):
    """The workspace's backups."""

    view_code: ClassVar[str] = "backups.view"
    workspace_lookup: ClassVar[str] = "database__workspace"


@admin.register(BackupSchedule, site=platform_site)
class BackupScheduleAdmin(_Schedules, PlatformAdmin):
    """When each database is backed up."""


@admin.register(BackupSchedule, site=workspace_site)
class WorkspaceBackupScheduleAdmin(_Schedules, WorkspaceAdmin):
    """When the workspace's database is backed up."""

    view_code: ClassVar[str] = "backups.view"
    workspace_lookup: ClassVar[str] = "database__workspace"
