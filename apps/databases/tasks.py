"""What workers do for databases and their servers: each task makes one call."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from apps.databases.services.servers.watching import check_servers
from apps.databases.services.tending import tend_databases


@shared_task(name="databases.tend")
def tend() -> None:
    tend_databases(now=timezone.now())


@shared_task(name="databases.check_servers")
def check_servers_task() -> None:
    check_servers(now=timezone.now())
