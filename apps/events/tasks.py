"""What workers do for events."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from apps.events.services.relay import relay_events


@shared_task(name="events.relay")
def relay_task() -> None:
    relay_events(now=timezone.now())
