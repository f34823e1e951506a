"""What stands in the sidebars and switchers: grouped by what people come for, not by Django app."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from apps.common.admin import platform_site, workspace_site
from apps.common.admin.sites import ConsoleSite, workspace_grant
from apps.workspaces.selectors import workspaces_of

_RECENT = 8

#: (group, [(label, icon, app label, model name)])
_PLATFORM = (
    (
        "Tenants",
        (
            ("Workspaces", "workspaces", "workspaces", "workspace"),
            ("People", "person", "accounts", "user"),
            ("Memberships", "group", "workspaces", "membership"),
            ("Invitations", "mail", "workspaces", "invitation"),
            ("Roles", "shield_person", "workspaces", "role"),
            ("API keys", "key", "access", "apikey"),
        ),
    ),
    (
        "Databases",
        (
            ("Servers", "dns", "databases", "databaseserver"),
            ("Databases", "database", "databases", "workspacedatabase"),
            ("Backups", "backup", "databases", "backup"),
            ("Backup schedules", "schedule", "databases", "backupschedule"),
            ("Restores", "settings_backup_restore", "databases", "restore"),
            ("Kept databases", "inventory_2", "databases", "keptdatabase"),
            ("Migrations", "schema", "databases", "schemamigration"),
        ),
    ),
    (
        "Work",
        (
            ("Operations", "manufacturing", "operations", "operation"),
            ("Due in workspaces", "alarm", "workspaces", "duework"),
            ("Schema pool", "database", "workspaces", "schemaslot"),
            ("Exports", "archive", "archives", "workspaceexport"),
            ("Imports", "unarchive", "archives", "workspaceimport"),
            ("Events", "bolt", "events", "event"),
            ("Schedules", "schedule", "django_celery_beat", "periodictask"),
        ),
    ),
    (
        "Plans",
        (
            ("Plans", "sell", "plans", "plan"),
            ("Limits", "speed", "plans", "planlimit"),
            ("Dimensions", "straighten", "plans", "dimension"),
            ("Use", "data_usage", "plans", "workspaceusage"),
            ("Drift", "difference", "plans", "usagedrift"),
        ),
    ),
    (
        "Trust",
        (
            ("Audit trail", "history", "audit", "auditevent"),
            ("Decisions", "gavel", "access", "decision"),
            ("Refresh tokens", "token", "accounts", "refreshtoken"),
            ("Held slugs", "bookmark", "workspaces", "slughold"),
        ),
    ),
)
_WORKSPACE = (
    (
        "Apps",
        (
            ("Apps", "apps", "applications", "app"),
            ("Versions", "commit", "applications", "appversion"),
            ("Releases", "rocket_launch", "applications", "release"),
            ("Access policies", "lock_open", "applications", "accesspolicy"),
        ),
    ),
    (
        "Activity",
        (
            ("Workflows", "account_tree", "workflows", "workflow"),
            ("Runs", "play_circle", "workflows", "run"),
            ("Steps", "checklist", "workflows", "steprun"),
            ("Visits", "badge", "runtime", "session"),
            ("Visitor events", "monitoring", "runtime", "runtimeevent"),
        ),
    ),
    (
        "Database",
        (
            ("Database", "database", "databases", "workspacedatabase"),
            ("Backups", "backup", "databases", "backup"),
            ("Backup schedule", "schedule", "databases", "backupschedule"),
            ("Kept databases", "inventory_2", "databases", "keptdatabase"),
            ("Migrations", "schema", "databases", "schemamigration"),
        ),
    ),
    (
        "Usage",
        (
            ("Usage", "data_usage", "billing", "quota"),
            ("Ledger", "receipt_long", "billing", "usageevent"),
            ("Reservations", "bookmark", "billing", "reservation"),
            ("Closed periods", "event_available", "billing", "closedperiod"),
        ),
    ),
    (
        "Team",
        (
            ("Members", "group", "workspaces", "membership"),
            ("Invitations", "mail", "workspaces", "invitation"),
            ("Roles", "shield_person", "workspaces", "role"),
            ("API keys", "key", "access", "apikey"),
        ),
    ),
    (
        "Trust",
        (
            ("Audit trail", "history", "audit", "auditevent"),
            ("Exports", "archive", "archives", "workspaceexport"),
            ("Operations", "manufacturing", "operations", "operation"),
            ("Decisions", "gavel", "access", "decision"),
        ),
    ),
)


def platform_navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The operators' sidebar."""
    return _navigation(request, platform_site, _PLATFORM)


def workspace_navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """A workspace's sidebar: what this member may see."""
    return _navigation(request, workspace_site, _WORKSPACE)


def platform_switcher(request: HttpRequest) -> list[dict[str, Any]]:
    """From the platform to workspaces."""
    return _switcher(request)


def workspace_switcher(request: HttpRequest) -> list[dict[str, Any]]:
    """From one workspace to another, and for operators back to the platform."""
    return _switcher(request)


def workspace_header(request: HttpRequest) -> str:
    grant = workspace_grant(request)
    return (grant.workspace.display_name or grant.workspace.name) if grant else "AppRun"


def workspace_subheader(request: HttpRequest) -> str:
    grant = workspace_grant(request)
    return f"{grant.workspace.slug} · {grant.role}" if grant else ""


def account_links(request: HttpRequest) -> list[dict[str, Any]]:
    """Below a person's name."""
    return [
        {"title": "Two-factor sign-in", "link": "/accounts/2fa/"},
        {"title": "Sessions", "link": "/accounts/sessions/"},
        {"title": "API documentation", "link": "/api/docs"},
    ]


def _switcher(request: HttpRequest) -> list[dict[str, Any]]:
    # The platform's addresses, spelled out: inside a workspace's console ``reverse`` knows only that console's.
    items = [
        {"title": row.display_name or row.name, "link": f"/admin/w/{row.slug}/", "icon": "workspaces"}
        for row in workspaces_of(request.user)[:_RECENT]
    ]
    items.append({"title": "All workspaces…", "link": "/admin/w/?all", "icon": "search"})
    if getattr(request.user, "is_staff", False):
        items.append({"title": "Platform", "link": "/admin/", "icon": "admin_panel_settings"})
    return items


def _navigation(request: HttpRequest, site: ConsoleSite, groups: Any) -> list[dict[str, Any]]:
    shown = {
        (model._meta.app_label, model._meta.model_name)
        for model, model_admin in site._registry.items()
        if model_admin.has_module_permission(request)
    }
    overview = {"title": "Overview", "icon": "dashboard", "link": reverse("admin:index")}
    navigation: list[dict[str, Any]] = [{"items": [overview]}]
    for title, entries in groups:
        items = [
            {"title": label, "icon": icon, "link": link}
            for label, icon, app, model in entries
            if (app, model) in shown and (link := _list_address(app, model))
        ]
        if items:
            navigation.append({"title": title, "separator": True, "items": items})
    return navigation


def _list_address(app: str, model: str) -> str | None:
    try:
        return reverse(f"admin:{app}_{model}_changelist")
    except NoReverseMatch:
        return None
