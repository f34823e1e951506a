"""Sealed values."""

from importlib import import_module

from django.apps import AppConfig


class SecretsConfig(AppConfig):
    name = "apps.secrets"
    verbose_name = "Secrets"

    def ready(self) -> None:
        import_module("apps.secrets.checks")
        import_module("apps.secrets.receivers")
