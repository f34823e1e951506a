"""Slow work as rows."""

from importlib import import_module

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    name = "apps.operations"
    verbose_name = "Operations"

    def ready(self) -> None:
        import_module("apps.operations.checks")
        import_module("apps.operations.permissions")
        import_module("apps.operations.services.metrics")
        import_module("apps.operations.api.v1.showing")
