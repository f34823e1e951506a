"""What workers do for quotas."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from apps.billing.services.upkeep import begin_missing_upkeep


@shared_task(name="billing.begin_missing_upkeep")
def begin_missing_upkeep_task() -> None:
    begin_missing_upkeep(now=timezone.now())
