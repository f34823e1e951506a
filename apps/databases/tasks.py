"""What workers do for databases and their servers beside their operations: each task makes one call."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from apps.databases.services.backups.expiry import sweep_backups
from apps.databases.services.backups.proving import sweep_scratch_databases
from apps.databases.services.backups.schedules import request_due_backups
from apps.databases.services.forgetting import forget_old_records
from apps.databases.services.restores.kept import drop_expired_databases
from apps.databases.services.restores.settling import delete_forgotten_dumps, settle_due_restores
from apps.databases.services.restores.swapping import open_overdue_fences
from apps.databases.services.servers.watching import check_servers
from apps.databases.services.storage import measure_database, measure_databases
from apps.databases.services.tending import tend_databases
from apps.databases.services.watching import watch_sessions


@shared_task(name="databases.tend")
def tend() -> None:
    tend_databases(now=timezone.now())


@shared_task(name="databases.check_servers")
def check_servers_task() -> None:
    check_servers(now=timezone.now())


@shared_task(name="databases.open_fenced")
def open_fenced() -> None:
    open_overdue_fences(now=timezone.now())


@shared_task(name="databases.settle_restores")
def settle_restores() -> None:
    settle_due_restores(now=timezone.now())
    delete_forgotten_dumps()


@shared_task(name="databases.drop_kept")
def drop_kept() -> None:
    drop_expired_databases(now=timezone.now())


@shared_task(name="databases.measure")
def measure() -> None:
    measure_databases(now=timezone.now())


@shared_task(name="databases.measure_one")
def measure_one(database: str) -> None:
    measure_database(database_id=UUID(database), now=timezone.now())


@shared_task(name="databases.watch_sessions")
def watch() -> None:
    watch_sessions(now=timezone.now())


@shared_task(name="databases.forget")
def forget() -> None:
    forget_old_records(now=timezone.now())


@shared_task(name="databases.request_backups")
def request_backups() -> None:
    request_due_backups(now=timezone.now())


@shared_task(name="databases.sweep_backups")
def sweep_backups_task() -> None:
    sweep_backups(now=timezone.now())
    sweep_scratch_databases()
