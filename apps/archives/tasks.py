"""What workers do for archives."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from apps.archives.services.forgetting import expire_archives


@shared_task(name="archives.expire")
def expire_archives_task() -> None:
    expire_archives(now=timezone.now())
