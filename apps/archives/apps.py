"""Workspaces as files: exported, and imported elsewhere."""

from importlib import import_module

from django.apps import AppConfig


class ArchivesConfig(AppConfig):
    name = "apps.archives"
    verbose_name = "Archives"

    def ready(self) -> None:
        import_module("apps.archives.permissions")
        import_module("apps.archives.kinds")
