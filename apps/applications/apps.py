"""Apps: drafts, versions, releases, and who may visit them."""

from importlib import import_module

from django.apps import AppConfig


class ApplicationsConfig(AppConfig):
    name = "apps.applications"
    verbose_name = "Apps"

    def ready(self) -> None:
        for module in ("permissions", "kinds", "receivers"):
            import_module(f"apps.applications.{module}")
