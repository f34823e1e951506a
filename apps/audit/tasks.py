"""What workers do for the trail."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from apps.audit.services.retention import shorten_platform_trail


@shared_task(name="audit.shorten_platform_trail")
def shorten_platform_trail_task() -> None:
    shorten_platform_trail(now=timezone.now())
