"""The page on which a workspace sees what it may use, and what it uses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from apps.billing.admin.showing import chart_of, show_quota, tell_day
from apps.billing.models import Quota
from apps.billing.selectors.daily import amounts_by_app, amounts_by_day, last_days, latest_periods
from apps.billing.selectors.forecast import forecasts_of
from apps.billing.selectors.quotas import Standing, standings_of
from apps.billing.services.quotas import refresh_quotas
from apps.common.admin import WorkspaceAdmin, workspace_site
from apps.common.admin.sites import workspace_grant
from apps.common.amounts import describe_amount
from apps.plans.selectors.limits import plan_names
from apps.workspaces.services.default_app import name_apps

_PERIODS = 12
#: A period ends just before the day on which the next one begins.
_INSTANT = timedelta(microseconds=1)


@admin.register(Quota, site=workspace_site)
class QuotaAdmin(WorkspaceAdmin):
    """What the workspace may use. In place of a list: a page that shows how each dimension stands."""

    view_code: ClassVar[str] = "billing.view"

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Every quota with its bar; of one dimension, what was used by day, by app and in earlier periods."""
        grant = workspace_grant(request)
        if grant is None or not self.has_view_permission(request):
            raise PermissionDenied
        workspace, now = grant.workspace, timezone.now()
        zone = ZoneInfo(workspace.time_zone)
        standings = standings_of(refresh_quotas(workspace=workspace, now=now))
        standings.sort(key=lambda standing: (standing.quota.kind != "counter", standing.dimension.name))
        forecasts = forecasts_of([standing.quota for standing in standings], now=now)
        chosen = _choose(standings, request.GET.get("dimension", ""))
        context = {
            **self.admin_site.each_context(request),
            **_details(chosen, zone, now),
            "title": "Usage",
            "plan": plan_names().get(workspace.plan_code, workspace.plan_code),
            "quotas": [
                show_quota(standing, forecast, zone=zone, now=now)
                for standing, forecast in zip(standings, forecasts, strict=True)
            ],
            "time_zone": workspace.time_zone,
        }
        return TemplateResponse(request, "billing/usage.html", context)


def _choose(standings: Sequence[Standing], code: str) -> Standing:
    """The dimension that was asked for, else the one that is fullest."""
    asked = next((standing for standing in standings if standing.dimension.code == code), None)
    return asked or max(standings, key=lambda standing: (standing.percent or 0, standing.quota.used))


def _details(chosen: Standing, zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    quota, dimension = chosen.quota, chosen.dimension
    level, unit = quota.kind != "counter", dimension.unit
    window = last_days(settings.USAGE_DAYS_SHOWN.days, zone=zone, now=now)
    days = amounts_by_day(quota, window, zone=zone)
    by_app = [] if level else amounts_by_app(quota, window)
    names = name_apps({app_id for app_id, _ in by_app if app_id is not None})
    return {
        "chosen": dimension,
        "level": level,
        "chart": json.dumps(chart_of(days, name=dimension.name, unit=unit, level=level)) if any(days.values()) else "",
        "days_shown": len(days),
        "days": [(f"{day.day} {day:%B}", describe_amount(amount, unit)) for day, amount in reversed(days.items())],
        "by_app": [
            {
                "id": app_id,
                "name": names[app_id].name if app_id in names else "An app that is gone" if app_id else "No app",
                "known": app_id in names,
                "amount": describe_amount(amount, unit),
            }
            for app_id, amount in by_app
        ],
        "periods": [
            {
                "days": f"{tell_day(period.started_at, zone)} – {tell_day(period.ended_at - _INSTANT, zone)}",
                "used": describe_amount(period.used, unit),
                "limit": "unlimited" if period.hard_limit is None else describe_amount(period.hard_limit, unit),
                "overage": describe_amount(period.overage, unit) if period.overage else "–",
            }
            for period in latest_periods(dimension.code, limit=_PERIODS)
        ],
    }
