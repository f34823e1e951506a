"""Addresses of the consoles."""

from django.urls import path

from apps.common.admin import platform_site
from apps.console import views

urlpatterns = [
    path("", views.open_front_door, name="front-door"),
    path("admin/w/", views.switch_workspace, name="switch-workspace"),
    path("admin/w/<slug:slug>/visit/", views.visit_workspace, name="visit-workspace"),
    path("admin/", platform_site.urls),
]
