"""The visitor's side: pages, forms, results, visits and what happened in them."""

from importlib import import_module

from django.apps import AppConfig


class RuntimeConfig(AppConfig):
    name = "apps.runtime"
    verbose_name = "Runtime"

    def ready(self) -> None:
        import_module("apps.runtime.kinds")
        import_module("apps.runtime.permissions")
