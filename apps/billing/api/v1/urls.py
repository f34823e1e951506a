"""Addresses of the endpoints of billing."""

from django.urls import path

from apps.billing.api.v1.use_views import ReservationViewSet, UseViewSet
from apps.billing.api.v1.views import AppUsageViewSet, QuotaViewSet, UsageEventViewSet, WorkspaceUsageViewSet

_HERE = "billing/workspaces/<str:workspace>"
_ONE = f"{_HERE}/reservations/<str:reservation>"

urlpatterns = [
    path(f"{_HERE}/quota", QuotaViewSet.as_view({"get": "retrieve"})),
    path(f"{_HERE}/forecast", QuotaViewSet.as_view({"get": "forecast"})),
    path(f"{_HERE}/consume", UseViewSet.as_view({"post": "consume"})),
    path(f"{_HERE}/reserve", UseViewSet.as_view({"post": "reserve"})),
    path(f"{_HERE}/corrections", UseViewSet.as_view({"post": "correct"})),
    path(f"{_HERE}/reservations", ReservationViewSet.as_view({"get": "list"})),
    path(_ONE, ReservationViewSet.as_view({"get": "retrieve"})),
    path(f"{_ONE}/commit", ReservationViewSet.as_view({"post": "commit"})),
    path(f"{_ONE}/release", ReservationViewSet.as_view({"post": "release"})),
    path(f"{_HERE}/events", UsageEventViewSet.as_view({"get": "list"})),
    path(f"{_HERE}/events/<str:event>", UsageEventViewSet.as_view({"get": "retrieve"})),
    path(f"{_HERE}/apps/usage", AppUsageViewSet.as_view({"get": "list"})),
    path(f"{_HERE}/usage", WorkspaceUsageViewSet.as_view({"get": "retrieve"})),
]
