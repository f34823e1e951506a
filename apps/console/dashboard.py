"""The start pages of the two consoles: what one wants to see first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from apps.accounts.selectors import count_people
from apps.applications.selectors import app_overview
from apps.audit.selectors import latest_acts
from apps.common.admin.sites import workspace_grant
from apps.operations.selectors import latest_failures
from apps.operations.services.kinds import find_kind
from apps.operations.services.load import read_overview
from apps.plans.selectors.usage import count_drift, count_over_limit
from apps.workspaces.selectors import slot_counts, workspace_counts

_LATEST = 8
#: Longer, and somebody should look whether workers are there.
_LONG_WAIT = timedelta(minutes=5)
_DRIFT_SHOWN = timedelta(days=7)


def platform_dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Numbers of the platform, and what went wrong lately."""
    now = timezone.now()
    workspaces, slots, operations = workspace_counts(), slot_counts(), read_overview(now=now)
    since = now - _DRIFT_SHOWN
    over, drift = count_over_limit(), count_drift(since=since)
    context["tiles"] = [
        _tile("Active workspaces", workspaces.get("active", 0), "workspaces_workspace", "status__exact=active"),
        _tile("Being set up", workspaces.get("provisioning", 0), "workspaces_workspace", "status__exact=provisioning"),
        _tile("People", count_people(), "accounts_user"),
        _tile("Schemas ready", slots.get("ready", 0), "workspaces_schemaslot", warn=not slots.get("ready")),
        _tile("Operations waiting", operations.waiting, "operations_operation", "status__exact=queued"),
        _tile(
            "Waiting longest",
            _duration(operations.longest_wait),
            "operations_operation",
            "status__exact=queued&o=7",
            warn=operations.longest_wait > _LONG_WAIT,
        ),
        _tile("Operations running", operations.running, "operations_operation", "status__exact=running"),
        _tile(
            "Operations failed in 24 h",
            operations.failed_lately,
            "operations_operation",
            "status__exact=failed",
            warn=operations.failed_lately > 0,
        ),
        _tile("Workspaces over a limit", over, "plans_workspaceusage", "standing=over", warn=over > 0),
        _tile(
            "Drift of quotas in 7 days", drift, "plans_usagedrift", f"found_at_from={since:%Y-%m-%d}", warn=drift > 0
        ),
    ]
    context["failures"] = latest_failures(limit=_LATEST)
    for operation in context["failures"]:
        kind = find_kind(operation.kind)
        operation.title = kind.title if kind else operation.kind
    context["acts_lately"] = latest_acts(limit=_LATEST)
    return context


def workspace_dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The workspace's apps with the way to them, and what happened lately."""
    grant = workspace_grant(request)
    assert grant is not None, "the middleware admits nobody without a grant"
    context["workspace"] = grant.workspace
    context["title"] = grant.workspace.display_name or grant.workspace.name
    context["grant"] = grant
    context["apps_listed"] = app_overview() if grant.allows("apps.view") else []
    context["acts_lately"] = latest_acts(limit=_LATEST) if grant.allows("audit.view") else []
    return context


def _duration(time: timedelta) -> str:
    """In the largest unit of which it is at least one."""
    seconds = int(time.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _tile(label: str, value: int | str, table: str, query: str = "", *, warn: bool = False) -> dict[str, Any]:
    address = reverse(f"admin:{table}_changelist")
    return {"label": label, "value": value, "link": f"{address}?{query}" if query else address, "warn": warn}
