"""The app that answers who may do what."""

from importlib import import_module

from django.apps import AppConfig

from apps.common.permissions import set_resolver


class AccessConfig(AppConfig):
    name = "apps.access"
    verbose_name = "Access"

    def ready(self) -> None:
        for name in ("permissions", "kinds", "receivers"):
            import_module(f"apps.access.{name}")
        set_resolver(import_module("apps.access.services.decisions").Resolver())
