"""How a workspace stands, and what it used."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from rest_framework.request import Request
from rest_framework.response import Response

from apps.billing.api.v1.filters import AppUsageFilters, TotalFilters, UsageEventFilters
from apps.billing.api.v1.outputs import (
    AppUsageOutput,
    ForecastsOutput,
    QuotaOutput,
    UsageEventDetail,
    UsageEventOutput,
    WorkspaceUsageOutput,
)
from apps.billing.api.v1.ranges import read_window
from apps.billing.errors import UsageEventNotFound
from apps.billing.selectors.forecast import forecasts_of
from apps.billing.selectors.quotas import standings_of
from apps.billing.selectors.usage import Window, closed_periods, find_entry, ledger, totals, usage_by_app
from apps.billing.services.exports import export_events, export_usage
from apps.billing.services.quotas import refresh_quotas, require_dimension
from apps.common.api.filters import apply_filters
from apps.common.api.outputs import Listing
from apps.common.api.views import WorkspaceViewSet
from apps.common.ids import parse_id


class QuotaViewSet(WorkspaceViewSet):
    """Quotas, and what they will come to."""

    required = {"retrieve": "billing.view", "forecast": "billing.view"}
    outputs = {"retrieve": QuotaOutput, "forecast": ForecastsOutput}

    def retrieve(self, request: Request, workspace: str) -> Response:
        """What this workspace may use of every dimension, and what it uses."""
        quotas = refresh_quotas(workspace=self.workspace, now=self.now)
        return self.answer({"plan": self.workspace.plan_code, "dimensions": standings_of(quotas)})

    def forecast(self, request: Request, workspace: str) -> Response:
        """When each limit will be reached if use goes on as it does.

        A counter goes on at the rate of its period so far, a level grows as it did in the last days.
        """
        quotas = refresh_quotas(workspace=self.workspace, now=self.now)
        return self.answer({"as_of": self.now, "dimensions": forecasts_of(quotas, now=self.now)})


class UsageEventViewSet(WorkspaceViewSet):
    """The ledger: every use, once."""

    required = {"list": "billing.view", "retrieve": "billing.view"}
    outputs = {
        "list": Listing(UsageEventOutput, orders=("-occurred_at",), filters=UsageEventFilters, csv=True),
        "retrieve": UsageEventDetail,
    }

    def list(self, request: Request, workspace: str) -> Any:
        """Entries of the ledger, newest first."""
        if not self.wants_csv:
            return self.page(ledger())
        entries = apply_filters(ledger(), UsageEventFilters, query=request.query_params, request=request)
        lines = export_events(workspace=self.workspace, entries=entries, actor=self.actor, now=self.now)
        return self.csv(lines, name=f"events-{self.workspace.slug}.csv")

    def retrieve(self, request: Request, workspace: str, event: str) -> Response:
        """One entry, and how much of it has been taken back."""
        identifier = parse_id(event)
        if identifier is None:
            raise UsageEventNotFound
        return self.answer(find_entry(identifier))


class AppUsageViewSet(WorkspaceViewSet):
    """Use by app and time."""

    required = {"list": "billing.view"}
    outputs = {"list": Listing(AppUsageOutput, orders=("-start",), filters=AppUsageFilters, csv=True)}

    def list(self, request: Request, workspace: str) -> Any:
        """What each app used, by the hour or by the day, newest first.

        Without a range: the last 30 days, or by the hour the last one. At most 366 days, by the hour 31.
        """
        rows = usage_by_app(window_of(self))
        if not self.wants_csv:
            return self.page(rows)
        chosen = apply_filters(rows, AppUsageFilters, query=request.query_params, request=request)
        lines = export_usage(workspace=self.workspace, rows=chosen, actor=self.actor, now=self.now)
        return self.csv(lines, name=f"usage-{self.workspace.slug}.csv")


class WorkspaceUsageViewSet(WorkspaceViewSet):
    """Use of the whole workspace by time."""

    required = {"retrieve": "billing.view"}
    outputs = {"retrieve": WorkspaceUsageOutput}
    parameters = {"retrieve": TotalFilters}

    def retrieve(self, request: Request, workspace: str) -> Response:
        """What all apps together used by the hour or day, and the periods that are over.

        Without a range: the last 30 days, or by the hour the last one. At most 366 days, by the hour 31.
        """
        window, dimension = window_of(self), request.query_params.get("dimension") or None
        if dimension is not None:
            require_dimension(dimension)
        return self.answer(
            {
                "bucket": window.bucket,
                "start": window.start,
                "end": window.end,
                "items": totals(window, dimension=dimension),
                "periods": closed_periods(window, dimension=dimension),
            }
        )


def window_of(view: WorkspaceViewSet) -> Window:
    """The range of time that a request is about, in the time zone of its workspace."""
    return read_window(view.request.query_params, zone=ZoneInfo(view.workspace.time_zone), now=view.now)
