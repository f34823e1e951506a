"""Workspaces, their members and their schemas."""

from importlib import import_module

from django.apps import AppConfig


class WorkspacesConfig(AppConfig):
    name = "apps.workspaces"
    verbose_name = "Workspaces"

    def ready(self) -> None:
        import_module("apps.workspaces.permissions")
        import_module("apps.workspaces.kinds")
        import_module("apps.workspaces.receivers")
        import_module("apps.workspaces.services.names")
