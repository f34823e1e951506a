"""What workers do for access: each task makes one call."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from apps.access.services.decisions import delete_old_decisions


@shared_task(name="access.delete_old_decisions")
def delete_old_decisions_task() -> None:
    delete_old_decisions(now=timezone.now())
