"""The worker's and beat's entry point: an app whose tasks know which schema they are for."""

import os
from typing import Any

from celery.signals import task_postrun, task_prerun
from django.db import close_old_connections, connections
from tenant_schemas_celery.app import CeleryApp

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")

app = CeleryApp("apprun", task_cls="apps.common.tasks:SchemaTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@task_prerun.connect
def _begin_with_live_connections(task: Any, **kwargs: Any) -> None:
    """A kept connection may have died since the last task (the server was restarted): one round trip tells, and the
    task gets a new one instead of an error."""
    if task.request.is_eager:
        return
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None and not connection.is_usable():
            connection.close()


@task_postrun.connect
def _keep_connections(task: Any, **kwargs: Any) -> None:
    """As behind a request: what had an error, or is older than CONN_MAX_AGE, is closed; the others stay open."""
    if not task.request.is_eager:
        close_old_connections()
