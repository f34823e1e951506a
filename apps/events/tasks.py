"""What workers do for events."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from apps.events.services.relay import relay_events
from apps.events.services.retention import forget_relayed_events


@shared_task(name="events.relay")
def relay_task() -> None:
    relay_events(now=timezone.now())


@shared_task(name="events.forget_relayed")
def forget_relayed_task() -> None:
    forget_relayed_events(now=timezone.now())
