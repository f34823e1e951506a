from importlib import import_module

from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "apps.workflows"
    verbose_name = "Workflows"

    def ready(self) -> None:
        import_module("apps.workflows.permissions")
        import_module("apps.workflows.kinds")
        import_module("apps.workflows.receivers")
