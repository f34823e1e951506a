"""A PostgreSQL database for each workspace that wants one."""

from importlib import import_module

from django.apps import AppConfig


class DatabasesConfig(AppConfig):
    name = "apps.databases"
    verbose_name = "Databases"

    def ready(self) -> None:
        import_module("apps.databases.permissions")
        import_module("apps.databases.kinds")
        import_module("apps.databases.receivers")
