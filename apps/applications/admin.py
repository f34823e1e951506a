"""Apps in a workspace's console."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin

from apps.applications.models import AccessPolicy, App, AppVersion, Release
from apps.applications.services import lifecycle
from apps.applications.services.publishing import publish, roll_back
from apps.applications.states import AppStatus
from apps.common.admin import Act, ActContext, ActForm, WorkspaceAdmin, workspace_site


class PublishForm(ActForm):
    """What to say of the new version."""

    note = forms.CharField(max_length=500, required=False, help_text="Shown in the history.")


class RollBackForm(PublishForm):
    """Which version is to be live again."""

    version = forms.IntegerField(min_value=1, help_text="Its number.")
    field_order = ("version", "note")


def _publish(context: ActContext, *, note: str) -> str:
    grant = context.member_grant
    release = publish(
        app_id=context.row.pk,
        workspace=grant.workspace,
        actor=context.actor,
        now=context.now,
        may_expose=grant.allows("apps.expose"),
        note=note,
    )
    return f"{release.version} of {context.row} is live."


def _roll_back(context: ActContext, *, version: int, note: str) -> str:
    release = roll_back(
        app_id=context.row.pk,
        workspace=context.member_grant.workspace,
        actor=context.actor,
        now=context.now,
        version=version,
        note=note,
    )
    return f"{release.version} of {context.row} is live again."


def _life(change: Callable[..., Any], sentence: str) -> Callable[[ActContext], str]:
    def run(context: ActContext) -> str:
        workspace = context.member_grant.workspace
        change(app_id=context.row.pk, workspace=workspace, actor=context.actor, now=context.now)
        return sentence.format(app=context.row)

    return run


def _allowed(*states: AppStatus) -> Callable[[Any], bool]:
    return lambda row: row.status in states


APP_ACTS = (
    Act(
        name="publish",
        label="Publish the draft",
        icon="rocket_launch",
        explanation="The draft becomes the next version, and visitors see it within a second.",
        code="apps.publish",
        form=PublishForm,
        run=_publish,
        allowed=lambda row: row.status != AppStatus.ARCHIVED,
    ),
    Act(
        name="roll-back",
        label="Roll back",
        icon="undo",
        explanation="An older version goes live again, as a new release; nothing is lost.",
        code="apps.publish",
        form=RollBackForm,
        run=_roll_back,
        allowed=_allowed(AppStatus.PUBLISHED, AppStatus.DEPRECATED),
    ),
    Act(
        name="unpublish",
        label="Unpublish",
        icon="visibility_off",
        explanation="Visitors get “not found” until it is published again.",
        code="apps.publish",
        run=_life(lifecycle.unpublish, "{app} is no longer published."),
        allowed=_allowed(AppStatus.PUBLISHED, AppStatus.DEPRECATED),
        danger=True,
    ),
    Act(
        name="deprecate",
        label="Deprecate",
        icon="event_busy",
        explanation="It still runs, with a notice that it will go.",
        code="apps.publish",
        run=_life(lifecycle.deprecate, "{app} is deprecated."),
        allowed=_allowed(AppStatus.PUBLISHED),
    ),
    Act(
        name="undeprecate",
        label="Undo deprecation",
        icon="event_available",
        explanation="The notice goes away.",
        code="apps.publish",
        run=_life(lifecycle.undeprecate, "{app} is no longer deprecated."),
        allowed=_allowed(AppStatus.DEPRECATED),
    ),
    Act(
        name="archive",
        label="Archive",
        icon="inventory_2",
        explanation="Visitors are told that it is gone; it can be taken out of the archive again.",
        code="apps.archive",
        run=_life(lifecycle.archive, "{app} is archived."),
        allowed=lambda row: row.status != AppStatus.ARCHIVED,
        danger=True,
    ),
    Act(
        name="unarchive",
        label="Take out of the archive",
        icon="unarchive",
        explanation="It comes back unpublished, or as a draft when it never was published.",
        code="apps.archive",
        run=_life(lifecycle.unarchive, "{app} is out of the archive."),
        allowed=_allowed(AppStatus.ARCHIVED),
    ),
)


@admin.register(App, site=workspace_site)
class AppAdmin(WorkspaceAdmin):
    """The workspace's apps."""

    view_code: ClassVar[str] = "apps.view"
    acts: ClassVar[Sequence[Act]] = APP_ACTS
    list_display = ("name", "slug", "status", "current_release", "draft_revision", "updated_at")
    list_filter = ("status", "origin")
    list_select_related = ("current_release__version",)
    search_fields = ("name", "slug", "description")
    fields = (
        *("name", "slug", "status", "current_release", "description", "origin", "deprecated_at", "sunset_at"),
        *("draft_revision", "draft_pretty", "created_at", "updated_at", "id"),
    )


@admin.register(AppVersion, site=workspace_site)
class AppVersionAdmin(WorkspaceAdmin):
    """Every version of every app."""

    view_code: ClassVar[str] = "apps.view"
    list_display = ("__str__", "app", "note", "created_at", "digest")
    list_filter = ("app",)
    list_select_related = ("app",)
    search_fields = ("app__name", "app__slug", "note", "digest")

    def title_of(self, row: Any) -> str:
        return f"{row.app} {row}"


@admin.register(Release, site=workspace_site)
class ReleaseAdmin(WorkspaceAdmin):
    """What went live, when, by whom."""

    view_code: ClassVar[str] = "apps.view"
    list_display = ("__str__", "app", "version", "note", "at")
    list_filter = ("kind", "app")
    list_select_related = ("app", "version")
    search_fields = ("app__name", "app__slug", "note")

    def title_of(self, row: Any) -> str:
        return f"{row.app} {row}"


@admin.register(AccessPolicy, site=workspace_site)
class AccessPolicyAdmin(WorkspaceAdmin):
    """Who may visit which app."""

    view_code: ClassVar[str] = "apps.view"
    list_display = ("app", "audience", "visitor_limit", "app_limit", "session_seconds")
    list_filter = ("audience",)
    list_select_related = ("app",)
    search_fields = ("app__name", "app__slug")
    exclude = ("password_hash", "link_token")

    def title_of(self, row: Any) -> str:
        return f"{row.app}: {row}"
