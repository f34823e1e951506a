"""What happened, for others to take up."""

from importlib import import_module

from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "apps.events"
    verbose_name = "Events"

    def ready(self) -> None:
        import_module("apps.events.permissions")
