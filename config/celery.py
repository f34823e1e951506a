"""The worker's and beat's entry point: an app whose tasks know which schema they are for."""

import os

from tenant_schemas_celery.app import CeleryApp

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")

app = CeleryApp("apprun", task_cls="apps.common.tasks:SchemaTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
