"""The addresses of one workspace's console; the middleware of apps.console puts them below ``/admin/w/{slug}/``."""

from django.urls import path

from apps.common.admin import workspace_site

urlpatterns = [path("", workspace_site.urls)]
