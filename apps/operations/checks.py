"""System checks: every kind of operation and every task has workers."""

from __future__ import annotations

from typing import Any

from celery import current_app
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from apps.operations.services.kinds import registered_kinds


@register
def check_queues(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Errors for kinds, tasks and scheduled jobs whose queue nobody works on."""
    named = {f"The operation kind {kind.name}": kind.queue for kind in registered_kinds()}
    named |= {
        f"The task {name}": queue
        for name, task in current_app.tasks.items()
        if (queue := getattr(task, "queue", None)) is not None
    }
    named |= {
        f"The scheduled job {name}": job["options"]["queue"]
        for name, job in settings.CELERY_BEAT_SCHEDULE.items()
        if "queue" in job.get("options", {})
    }
    return [
        Error(f"{what} is for the queue {queue}, which is not in WORKER_QUEUES.", id="operations.E001")
        for what, queue in named.items()
        if queue not in settings.WORKER_QUEUES
    ]
