"""Addresses of the audit trail."""

from django.urls import path

from apps.audit.api.v1.views import AuditViewSet

urlpatterns = [
    path("workspaces/<str:workspace>/audit", AuditViewSet.as_view({"get": "list"})),
    path("workspaces/<str:workspace>/audit/export", AuditViewSet.as_view({"get": "export"})),
]
